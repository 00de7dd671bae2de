import type { Clock } from "../core/clock.js";

/**
 * Keeps the event loop turning for a while after a call has begun or ended: what comes in that time is found at once.
 * A loop that waits lets the processor sleep, or serve others, and the next packet finds neither it nor the caches
 * ready. That is more than half of what a lone call takes here; networking calls the remedy busy polling.
 */
export class BusyPoll {
  readonly #clock: Clock;
  readonly #forMs: number;
  readonly #nextTurn: (step: () => void) => void;
  #until = 0;
  #isPolling = false;
  readonly #poll = (): void => {
    if (this.#clock.monotonic() < this.#until) this.#nextTurn(this.#poll);
    else this.#isPolling = false;
  };

  /** `micros`: how long; 0 for never. `nextTurn` calls a step after the loop has looked for what came in. */
  constructor(
    clock: Clock,
    micros: number,
    nextTurn: (step: () => void) => void = (step) => void setImmediate(step),
  ) {
    this.#clock = clock;
    this.#forMs = micros / 1000;
    this.#nextTurn = nextTurn;
  }

  /** From now on. */
  extend(): void {
    if (this.#forMs === 0) return;
    this.#until = this.#clock.monotonic() + this.#forMs;
    if (this.#isPolling) return;
    this.#isPolling = true;
    this.#nextTurn(this.#poll);
  }
}
