/** A pending callback that can be called off. */
export interface Timer {
  /** Calls the callback off; calling it late or twice does nothing. */
  cancel(): void;
}

/**
 * Time as the terminal layer sees it. Nothing here reads the system clock or starts a timer in any
 * other way, so that a whole dashboard can be driven from a test.
 */
export interface Clock {
  /** Wall-clock time in milliseconds since the epoch. */
  now(): number;
  /** Milliseconds from an arbitrary origin; never steps back. */
  monotonic(): number;
  /** Runs `fn` once after `delayMs`. The timer does not keep the process alive. */
  setTimer(fn: () => void, delayMs: number): Timer;
}

/** The clock of this machine. */
export function systemClock(): Clock {
  return {
    now: () => Date.now(),
    monotonic: () => performance.now(),
    setTimer: (fn, delayMs) => {
      const handle = setTimeout(fn, delayMs);
      // Frame and toast timers must never hold a finished process open.
      handle.unref();
      return { cancel: () => clearTimeout(handle) };
    },
  };
}
