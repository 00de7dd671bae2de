import type { Clock, Timer } from "../../server/core/clock.js";

interface FakeTimer {
  readonly at: number;
  readonly order: number;
  readonly fn: () => void;
}

/** A clock that stands still until a test moves it. */
export class FakeClock implements Clock {
  #elapsedMs = 0;
  #order = 0;
  #startMs: number;
  readonly #timers = new Set<FakeTimer>();

  /** `startMs` is what `now()` first returns, in milliseconds since the epoch. */
  constructor(startMs = Date.UTC(2026, 10, 20, 11, 21, 8)) {
    this.#startMs = startMs;
  }

  now(): number {
    return this.#startMs + this.#elapsedMs;
  }

  monotonic(): number {
    return this.#elapsedMs;
  }

  setTimer(fn: () => void, delayMs: number): Timer {
    this.#order += 1;
    const timer = { at: this.#elapsedMs + Math.max(0, delayMs), order: this.#order, fn };
    this.#timers.add(timer);
    return { cancel: () => void this.#timers.delete(timer) };
  }

  /** Timers that would still run. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Moves time on and runs every timer that falls due, in the order of their times. */
  advance(byMs: number): void {
    const end = this.#elapsedMs + byMs;
    for (;;) {
      const next = this.#earliest();
      if (next === undefined || next.at > end) break;
      this.#timers.delete(next);
      this.#elapsedMs = Math.max(this.#elapsedMs, next.at);
      next.fn();
    }
    this.#elapsedMs = end;
  }

  /** Like `advance`, in steps, and lets promises settle after each. */
  async run(byMs: number, stepMs = 50): Promise<void> {
    for (let left = byMs; left > 0; left -= stepMs) {
      this.advance(Math.min(left, stepMs));
      await settle();
    }
  }

  /** Time passes without any timer running: what a blocking call does to a process. */
  block(byMs: number): void {
    this.#elapsedMs += byMs;
  }

  /** Sets the wall clock alone, as an administrator or a time server does. */
  jumpWall(byMs: number): void {
    this.#startMs += byMs;
  }

  #earliest(): FakeTimer | undefined {
    let first: FakeTimer | undefined;
    for (const timer of this.#timers) {
      if (first === undefined || timer.at < first.at) first = timer;
      else if (timer.at === first.at && timer.order < first.order) first = timer;
    }
    return first;
  }
}

/** Lets everything run that is ready: promise callbacks and one turn of the event loop. */
export function settle(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/** A condition that has not changed by then never will. */
const SETTLE_MS_MAX = 60_000;

/** Lets turns of the event loop pass for as long as `goesOn` says; fails where that would be for good. */
export async function settleWhile(goesOn: () => boolean): Promise<void> {
  const begunMs = performance.now();
  while (goesOn()) {
    if (performance.now() - begunMs > SETTLE_MS_MAX) {
      throw new Error(`still so after a minute: ${goesOn.toString()}`);
    }
    await settle();
  }
}
