/** What is known of calls that have no result yet, the oldest of each id first: some ids come again. */
export class OpenCalls<T> {
  readonly #byId = new Map<string, { readonly calls: T[]; next: number }>();

  add(id: string, call: T): void {
    const open = this.#byId.get(id);
    if (open === undefined) this.#byId.set(id, { calls: [call], next: 0 });
    else open.calls.push(call);
  }

  /** The call that a result belongs to, which has it now; undefined when there is none. */
  take(id: string): T | undefined {
    const open = this.#byId.get(id);
    return open === undefined ? undefined : open.calls[open.next++];
  }
}
