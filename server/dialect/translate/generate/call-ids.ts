/**
 * Gives calls ids where a Gemini caller has none, and finds them again for the results, which come in order.
 * A call's id follows from its place alone: the next request begins with the same text, which providers cache.
 */
export class CallIds {
  /** Ids that the caller gave, of which none is made. */
  readonly #given: ReadonlySet<string>;
  /** Ids of calls without a result yet, the oldest first, by the name of the function. */
  readonly #open = new Map<string, OldestFirst>();
  /** Those of them that were made here. */
  readonly #made = new Map<string, OldestFirst>();
  /** The calls that the caller's ids stand for. */
  readonly #known = new Map<string, string>();
  #count = 0;

  constructor(given: ReadonlySet<string>) {
    this.#given = given;
  }

  ofCall(name: string, given: string | undefined): string {
    const id = given ?? this.#make();
    if (given !== undefined) this.#known.set(given, given);
    else ofName(this.#made, name).add(id);
    ofName(this.#open, name).add(id);
    return id;
  }

  /**
   * Callers may leave out the id of a result though its call had one, and give a result one of their own where the
   * model, as those before Gemini 3, gave the call none; some give every result of a function the same.
   */
  ofResult(name: string, given: string | undefined): string {
    if (given === undefined) {
      const oldest = this.#open.get(name)?.take() ?? this.#make();
      this.#made.get(name)?.delete(oldest);
      return oldest;
    }
    const open = this.#open.get(name);
    const known = this.#known.get(given);
    const isAwaited = known !== undefined && open?.has(known) === true;
    const id = (isAwaited ? known : this.#made.get(name)?.take()) ?? known ?? given;
    this.#known.set(given, id);
    open?.delete(id);
    return id;
  }

  #make(): string {
    for (;;) {
      const id = `call_p${String(this.#count++)}`;
      if (!this.#given.has(id)) return id;
    }
  }
}

function ofName(ids: Map<string, OldestFirst>, name: string): OldestFirst {
  let found = ids.get(name);
  if (found === undefined) ids.set(name, (found = new OldestFirst()));
  return found;
}

/** Ids in the order in which they came. Where the first ones were is not looked at again, which a set alone would do. */
class OldestFirst {
  readonly #ids = new Set<string>();
  #oldest = this.#ids.values();

  add(id: string): void {
    this.#ids.add(id);
  }

  has(id: string): boolean {
    return this.#ids.has(id);
  }

  delete(id: string): void {
    this.#ids.delete(id);
  }

  /** The oldest, which is then gone; undefined when none is left. */
  take(): string | undefined {
    let next = this.#oldest.next();
    if (next.done === true) {
      // It does not see what came after it had ended.
      this.#oldest = this.#ids.values();
      next = this.#oldest.next();
    }
    if (next.done === true) return undefined;
    this.#ids.delete(next.value);
    return next.value;
  }
}
