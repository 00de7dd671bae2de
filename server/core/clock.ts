import { performance } from "node:perf_hooks";

/** A cancellable one-shot timer. */
export interface Timer {
  cancel(): void;
}

/**
 * The only source of time. Everything that waits, expires or measures takes a Clock, so that whole
 * components run under a simulated one.
 */
export interface Clock {
  /** Wall clock, milliseconds since the Unix epoch. For records, expiry and billing only. */
  now(): number;
  /** Never goes backwards, milliseconds with fraction. For limits, cooldowns, timeouts and latency. */
  monotonic(): number;
  /** Calls `fn` once after `delayMs`; does not keep the process alive. */
  setTimer(fn: () => void, delayMs: number): Timer;
}

/** The operating system's clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimer(fn, delayMs) {
    const handle = setTimeout(fn, delayMs);
    handle.unref();
    return { cancel: () => clearTimeout(handle) };
  },
};
