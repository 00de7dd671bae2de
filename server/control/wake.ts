import type { Clock } from "../core/clock.js";

/** Lets a watching stream sleep until there is news, the caller leaves, or some time has passed. */
export interface Wake {
  /** Resolves at the next news; at once if there were any since the last time. */
  next(): Promise<"NEWS" | "LEFT" | "SILENCE">;
  stop(): void;
}

/** `subscribe` calls its listener at each news, and returns what ends that. */
export function wakeOn(options: {
  subscribe: (listener: () => void) => () => void;
  signal: AbortSignal;
  clock: Clock;
  silenceMs: number;
}): Wake {
  const { signal, clock, silenceMs } = options;
  let hasNews = false;
  let wake: () => void = () => undefined;
  const unsubscribe = options.subscribe(() => {
    hasNews = true;
    wake();
  });
  const leave = (): void => wake();
  signal.addEventListener("abort", leave);
  return {
    async next() {
      let timeIsUp = false;
      if (!hasNews && !signal.aborted) {
        await new Promise<void>((resolve) => {
          const timer = clock.setTimer(() => {
            timeIsUp = true;
            resolve();
          }, silenceMs);
          wake = () => {
            timer.cancel();
            resolve();
          };
        });
      }
      if (signal.aborted) return "LEFT";
      if (timeIsUp && !hasNews) return "SILENCE";
      hasNews = false;
      return "NEWS";
    },
    stop() {
      unsubscribe();
      signal.removeEventListener("abort", leave);
    },
  };
}
