/**
 * Gives calls ids where a Gemini caller has none, and finds them again for the results, which come in order.
 * A call's id follows from its place alone: the next request begins with the same text, which providers cache.
 */
export class CallIds {
  /** Ids that the caller gave, of which none is made. */
  readonly #given: ReadonlySet<string>;
  /** Ids of calls without a result yet, the oldest first, by the name of the function. */
  readonly #open = new Map<string, Set<string>>();
  #count = 0;

  constructor(given: ReadonlySet<string>) {
    this.#given = given;
  }

  ofCall(name: string, given: string | undefined): string {
    const id = given ?? this.#make();
    const open = this.#open.get(name);
    if (open === undefined) this.#open.set(name, new Set([id]));
    else open.add(id);
    return id;
  }

  /** Callers may leave out the id of a result though its call had one. */
  ofResult(name: string, given: string | undefined): string {
    const open = this.#open.get(name);
    const id = given ?? open?.values().next().value ?? this.#make();
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
