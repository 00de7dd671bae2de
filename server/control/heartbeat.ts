import type { Clock } from "../core/clock.js";

/** Silence on a watching stream after which a heartbeat is sent. */
export const HEARTBEAT_MS = 5_000;

/** The result of `next`, or word that it takes long; `next` can be waited for again then. */
export async function orSilence<T>(clock: Clock, next: Promise<T>): Promise<T | "SILENCE"> {
  let stop: () => void = () => undefined;
  const silence = new Promise<"SILENCE">((resolve) => {
    const timer = clock.setTimer(() => resolve("SILENCE"), HEARTBEAT_MS);
    stop = () => timer.cancel();
  });
  try {
    return await Promise.race([next, silence]);
  } finally {
    stop();
  }
}
