import { Fault } from "../core/fault.js";

/** More than this many at once is a mistake or an attack: each may cost a passphrase derivation. */
const WAITING_MAX = 8;

/** Runs asynchronous work one piece after the other. */
export class Serial {
  #tail: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  /** Throws Fault `overloaded` when too much waits already; a failed piece does not stop the next. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#waiting >= WAITING_MAX) {
      throw new Fault("overloaded", "The vault is busy; try again in a moment.", {
        retryAfterSeconds: 1,
      });
    }
    this.#waiting++;
    const result = this.#tail.then(work);
    // Whoever called hears of the failure from `result`.
    this.#tail = result.catch(() => undefined);
    try {
      return await result;
    } finally {
      this.#waiting--;
    }
  }
}
