/** What a roster keeps. It knows its own place there, so that taking it out needs no search. */
export interface Rostered {
  /** -1 while it is in no roster. Written by the roster alone. */
  place: number;
}

/**
 * The things that are under way now, in no order. A `Set` would do the same, but a long-lived one with constant adding
 * and deleting makes the garbage collector slow: each table that it outgrows keeps pointing to the next one and to what
 * it held, so objects of finished calls survive collection after collection.
 */
export class Roster<T extends Rostered> {
  readonly #items: T[] = [];

  get size(): number {
    return this.#items.length;
  }

  add(item: T): void {
    if (item.place < 0) item.place = this.#items.push(item) - 1;
  }

  /** Takes the last one out. */
  pop(): T | undefined {
    const item = this.#items.pop();
    if (item !== undefined) item.place = -1;
    return item;
  }

  delete(item: T): void {
    const { place } = item;
    if (place < 0 || this.#items[place] !== item) return;
    item.place = -1;
    const last = this.#items.pop();
    if (last === undefined || last === item) return;
    this.#items[place] = last;
    last.place = place;
  }

  has(item: T): boolean {
    return item.place >= 0 && this.#items[item.place] === item;
  }

  /** Calls `visit` for each item that was there at the start and is still there when its turn comes. */
  each(visit: (item: T) => void): void {
    for (const item of this.#items.slice()) if (this.has(item)) visit(item);
  }
}
