/** Gives calls ids where a Gemini caller has none, and finds them again for the results, which come in order. */
export class CallIds {
  readonly #prefix: string;
  readonly #open = new Map<string, string[]>();
  #count = 0;

  constructor(callId: string) {
    this.#prefix = `call_${callId}_p`;
  }

  ofCall(name: string, id: string | undefined): string {
    if (id !== undefined && id !== "") return id;
    const made = `${this.#prefix}${String(this.#count++)}`;
    this.#open.set(name, [...(this.#open.get(name) ?? []), made]);
    return made;
  }

  ofResult(name: string, id: string | undefined): string {
    if (id !== undefined && id !== "") return id;
    return this.#open.get(name)?.shift() ?? `${this.#prefix}${String(this.#count++)}`;
  }
}
