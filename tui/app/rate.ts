import { REFRESH_RATES } from "../state/overview.js";

/** Frames closer than this are what a quick link gets, milliseconds. */
const QUICK_FRAME_MS = 100;

/**
 * Milliseconds between snapshots: those chosen, or more where the link cannot carry as many frames.
 */
export function intervalFor(chosenMs: number, frameIntervalMs: number): number {
  if (frameIntervalMs <= QUICK_FRAME_MS) return chosenMs;
  const slow = REFRESH_RATES.toReversed().find((rate) => rate.intervalMs >= frameIntervalMs);
  return Math.max(chosenMs, slow?.intervalMs ?? REFRESH_RATES[0].intervalMs);
}
