import { HOUR_MS } from "../core/durations.js";

/** How many of the latest outcomes count. */
export const OUTCOMES_MAX = 100;
const ASSUMED_SUCCESSES = 5;
/**
 * After this long without any outcome the window is forgotten: a key that scored too low to be chosen gets
 * another chance instead of being judged by old failures for ever.
 */
const OUTCOMES_FORGOTTEN_AFTER_MS = HOUR_MS;

/** The latest outcomes of a key, as a ring of ones and zeros. */
export class OutcomeWindow {
  /** Null for the many keys that have had none. */
  #ring: Uint8Array | null = null;
  #next = 0;
  #count = 0;
  #successes = 0;
  #lastAtMs = -Infinity;

  /** Outcomes in the window, at most `OUTCOMES_MAX`. */
  get count(): number {
    return this.#count;
  }

  get successes(): number {
    return this.#successes;
  }

  /**
   * Success rate, 0 to 1, with a few successes assumed beforehand (Laplace): 1 for a key without outcomes,
   * and the first failure of a new key does not look like total failure.
   */
  get rate(): number {
    return (this.#successes + ASSUMED_SUCCESSES) / (this.#count + ASSUMED_SUCCESSES);
  }

  record(success: boolean, atMs: number): void {
    this.forgetOld(atMs);
    this.#lastAtMs = atMs;
    const ring = (this.#ring ??= new Uint8Array(OUTCOMES_MAX));
    if (this.#count === OUTCOMES_MAX) this.#successes -= ring[this.#next] ?? 0;
    else this.#count++;
    ring[this.#next] = success ? 1 : 0;
    if (success) this.#successes++;
    this.#next = (this.#next + 1) % OUTCOMES_MAX;
  }

  forgetOld(nowMs: number): void {
    if (this.#successes === this.#count) return;
    if (nowMs - this.#lastAtMs >= OUTCOMES_FORGOTTEN_AFTER_MS) this.clear();
  }

  clear(): void {
    this.#count = 0;
    this.#successes = 0;
    this.#next = 0;
  }
}
