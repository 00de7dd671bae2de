/**
 * Whoever reads a subscription: sleeps until there is something for them, or until it is to end. Waking one who does not
 * sleep does nothing, so look for news before going to sleep.
 */
export class Subscriber {
  readonly #signal: AbortSignal | undefined;
  #ended: boolean;
  #wake: (() => void) | undefined;

  /** `signal` ends it, at once if it is aborted already. */
  constructor(signal: AbortSignal | undefined) {
    this.#signal = signal;
    this.#ended = signal?.aborted === true;
    signal?.addEventListener("abort", this.end, { once: true });
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Resolves when it is woken or ended. */
  woken(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  wake(): void {
    this.#wake?.();
    this.#wake = undefined;
  }

  readonly end = (): void => {
    this.#ended = true;
    this.wake();
  };

  /** Lets go of the signal, which may outlive the subscription. */
  release(): void {
    this.#signal?.removeEventListener("abort", this.end);
  }
}
