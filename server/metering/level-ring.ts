import { RING_SECONDS } from "./second-ring.js";

const MASK = RING_SECONDS - 1;

/** A level, such as the calls in flight, as it was at the end of each of the last seconds. */
export class LevelRing {
  readonly #levels = new Float64Array(RING_SECONDS);
  #second = 0;
  #level = 0;

  get now(): number {
    return this.#level;
  }

  /** Sets the level; it stays until it is set again. */
  set(second: number, level: number): void {
    this.#fill(second);
    this.#level = level;
    this.#levels[second & MASK] = level;
  }

  /** The level at the end of a second of the last quarter of an hour. */
  at(second: number): number {
    if (second >= this.#second) return this.#level;
    return this.#levels[second & MASK] ?? 0;
  }

  /** Seconds in which nothing happened ended with the level that the last event left. */
  #fill(second: number): void {
    const first = Math.max(this.#second + 1, second - RING_SECONDS);
    for (let i = first; i < second; i++) this.#levels[i & MASK] = this.#level;
    this.#second = Math.max(second, this.#second);
  }
}
