interface Go<T> {
  readonly round: number;
  readonly calls: T[];
  next: number;
}

/**
 * What is known of calls that have no result yet. Some ids come again: a result belongs to the latest go in which one
 * of its id was called, and there to the first that has none.
 */
export class OpenCalls<T> {
  readonly #byId = new Map<string, Go<T>[]>();

  /** `round` grows with each go. */
  add(id: string, call: T, round: number): void {
    let gos = this.#byId.get(id);
    if (gos === undefined) this.#byId.set(id, (gos = []));
    const last = gos.at(-1);
    if (last?.round === round) last.calls.push(call);
    else gos.push({ round, calls: [call], next: 0 });
  }

  /** The call that a result belongs to, which is answered with it; undefined when there is none. */
  take(id: string): T | undefined {
    const gos = this.#byId.get(id);
    const last = gos?.at(-1);
    const call = last?.calls[last.next++];
    if (last !== undefined && last.next >= last.calls.length) gos?.pop();
    return call;
  }
}
