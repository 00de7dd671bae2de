import { setImmediate } from "node:timers/promises";
import type { Clock } from "./clock.js";

/** How long background work may hold the event loop. */
const SLICE_MS = 2;
/** A second bound, for clocks that stand still. */
const STEPS_MAX = 256;

/** Cuts background work of many short steps into slices, between which other work has its turn. */
export class Slices {
  readonly #clock: Clock;
  #startedMs: number;
  #steps = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#startedMs = clock.monotonic();
  }

  /** Call after each step. When the slice is used up, it waits for the next turn of the event loop. */
  async step(): Promise<void> {
    this.#steps++;
    const used = this.#clock.monotonic() - this.#startedMs;
    if (used < SLICE_MS && this.#steps < STEPS_MAX) return;
    await setImmediate();
    this.#startedMs = this.#clock.monotonic();
    this.#steps = 0;
  }
}
