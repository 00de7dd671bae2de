import type { Logger } from "../core/logger.js";

/** Who wants to hear of something. A listener that throws is logged and harms neither the others nor the caller. */
export class Listeners<T> {
  readonly #logger: Logger;
  readonly #all = new Set<(event: T) => void>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  add(listener: (event: T) => void): () => void {
    this.#all.add(listener);
    return () => this.#all.delete(listener);
  }

  announce(event: T): void {
    for (const listener of this.#all) {
      try {
        listener(event);
      } catch (thrown) {
        this.#logger.error({ err: thrown }, "a listener of the vault failed");
      }
    }
  }
}
