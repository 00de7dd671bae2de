/** Gives calls ids where a Gemini caller has none, and finds them again for the results, which come in order. */
export class CallIds {
  readonly #prefix: string;
  /** Ids of calls without a result yet, by the name of the function. */
  readonly #open = new Map<string, string[]>();
  #count = 0;

  constructor(callId: string) {
    this.#prefix = `call_${callId}_p`;
  }

  ofCall(name: string, given: string | undefined): string {
    const id = given ?? this.#make();
    const open = this.#open.get(name);
    if (open === undefined) this.#open.set(name, [id]);
    else open.push(id);
    return id;
  }

  /** Callers may leave out the id of a result though its call had one. */
  ofResult(name: string, given: string | undefined): string {
    const open = this.#open.get(name) ?? [];
    if (given === undefined) return open.shift() ?? this.#make();
    const at = open.indexOf(given);
    if (at >= 0) open.splice(at, 1);
    return given;
  }

  #make(): string {
    return `${this.#prefix}${String(this.#count++)}`;
  }
}
