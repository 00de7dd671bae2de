/** What can stand in a chain, in one at a time. Only the chain writes these fields. */
export interface Link<T> {
  ahead: T | undefined;
  behind: T | undefined;
}

/** A doubly linked list: adding an item and taking one out, wherever it stands, cost the same however long the list is. */
export class Chain<T extends Link<T>> {
  #first: T | undefined;
  #last: T | undefined;
  #length = 0;

  get first(): T | undefined {
    return this.#first;
  }

  get last(): T | undefined {
    return this.#last;
  }

  get length(): number {
    return this.#length;
  }

  /** Adds an item at the end. */
  add(item: T): void {
    this.#length++;
    item.ahead = this.#last;
    if (this.#last === undefined) this.#first = item;
    else this.#last.behind = item;
    this.#last = item;
  }

  /** Takes out an item, which must be in this chain. */
  delete(item: T): void {
    const { ahead, behind } = item;
    this.#length--;
    if (ahead === undefined) this.#first = behind;
    else ahead.behind = behind;
    if (behind === undefined) this.#last = ahead;
    else behind.ahead = ahead;
    item.ahead = undefined;
    item.behind = undefined;
  }

  moveToEnd(item: T): void {
    this.delete(item);
    this.add(item);
  }
}
