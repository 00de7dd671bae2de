import { unreachable } from "./assert.js";
import { DAY_MS, WEEK_MS } from "./durations.js";
import { floorTo } from "./multiples.js";

/** 1970-01-05, the first Monday of the epoch; weeks begin on Mondays. */
export const FIRST_MONDAY_MS = 4 * DAY_MS;

export type Period = "DAY" | "WEEK" | "MONTH";
export const PERIODS: readonly Period[] = ["DAY", "WEEK", "MONTH"];

/** The first millisecond of the calendar period (UTC) that a wall-clock time lies in. */
export function periodStart(period: Period, nowMs: number): number {
  switch (period) {
    case "DAY":
      return floorTo(nowMs, DAY_MS);
    case "WEEK":
      return Math.floor((nowMs - FIRST_MONDAY_MS) / WEEK_MS) * WEEK_MS + FIRST_MONDAY_MS;
    case "MONTH": {
      const date = new Date(nowMs);
      return Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), 1);
    }
    default:
      return unreachable(period);
  }
}

/** The first millisecond after the calendar period (UTC) that begins at `startMs`. */
export function periodEnd(period: Period, startMs: number): number {
  switch (period) {
    case "DAY":
      return startMs + DAY_MS;
    case "WEEK":
      return startMs + WEEK_MS;
    case "MONTH": {
      const date = new Date(startMs);
      return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 1);
    }
    default:
      return unreachable(period);
  }
}
