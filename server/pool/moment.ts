import type { Clock } from "../core/clock.js";

/** A moment by both clocks, in milliseconds: what people and the storage know by the wall's, the pool keeps by the other. */
export interface Moment {
  readonly wallMs: number;
  readonly monotonicMs: number;
}

export function momentOf(clock: Clock): Moment {
  return { wallMs: clock.now(), monotonicMs: clock.monotonic() };
}

/** When a monotonic time is by the wall clock, in whole milliseconds since the epoch. */
export function wallTimeOf(monotonicMs: number, now: Moment): number {
  return Math.round(now.wallMs + monotonicMs - now.monotonicMs);
}
