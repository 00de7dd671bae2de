import { DAY_MS, HOUR_MS, MINUTE_MS } from "../core/durations.js";
import { ceilTo, floorTo } from "../core/multiples.js";
import type { UsageBucket } from "../core/usage.js";
import { DAYS, HOURS, type Level, MINUTES } from "./rollup-levels.js";

/** Which roll-ups a range of time is read from. */
export interface Segment {
  readonly level: Level;
  /** The first bucket, and the end that is not part of it; both milliseconds since the epoch. */
  readonly fromMs: number;
  readonly toMs: number;
}

/** What the roll-ups hold at the moment. */
export interface RollupState {
  /** Hours and days hold the minutes before this one. */
  readonly foldedUntilMs: number;
  /** Older minutes and hours have been deleted. */
  readonly minutesFromMs: number;
  readonly hoursFromMs: number;
}

export const BUCKET_MS: Readonly<Record<Exclude<UsageBucket, "ALL">, number>> = {
  MINUTE: MINUTE_MS,
  HOUR: HOUR_MS,
  DAY: DAY_MS,
};

/** A segment that is read from one kind of table. */
export interface Piece extends Segment {
  /** Read from the totals by name instead of from the roll-ups by combination. */
  readonly totals: boolean;
}

/** Segments cut where the totals end: they hold the minutes before `foldedUntilMs`, a whole minute. */
export function cutAtTotals(segments: readonly Segment[], foldedUntilMs: number): readonly Piece[] {
  return segments.flatMap(({ level, fromMs, toMs }) => {
    const edgeMs = Math.min(Math.max(foldedUntilMs, fromMs), toMs);
    const pieces: readonly Piece[] = [
      { level, fromMs, toMs: edgeMs, totals: true },
      { level, fromMs: edgeMs, toMs, totals: false },
    ];
    return pieces.filter((piece) => piece.fromMs < piece.toMs);
  });
}

const COARSEST_FIRST: readonly Level[] = [DAYS, HOURS, MINUTES];

/**
 * Covers a range by segments that do not overlap, the coarsest levels first. The range is widened to whole
 * buckets; with ALL to whole minutes, or, where those are gone, to whole hours or days. An hour or a day is
 * read only when all its minutes have been folded, so a fold between two statements does no harm.
 */
export function planUsage(
  range: { readonly fromMs: number; readonly toMs: number; readonly bucket: UsageBucket },
  state: RollupState,
): readonly Segment[] {
  const stepMs = range.bucket === "ALL" ? allStep(range.fromMs, state) : BUCKET_MS[range.bucket];
  const endStepMs = range.bucket === "ALL" ? MINUTE_MS : stepMs;
  const fromMs = floorTo(range.fromMs, stepMs);
  const toMs = ceilTo(range.toMs, endStepMs);
  if (toMs <= fromMs) return [];
  const levels = COARSEST_FIRST.filter(
    ({ bucketMs }) => range.bucket === "ALL" || bucketMs <= stepMs,
  );
  return cover(fromMs, toMs, levels, state.foldedUntilMs);
}

function allStep(fromMs: number, state: RollupState): number {
  if (fromMs < state.hoursFromMs) return DAY_MS;
  return fromMs < state.minutesFromMs ? HOUR_MS : MINUTE_MS;
}

/** Covers a range by the coarsest of some levels as far as its buckets go, and what is left on both sides by the others. */
function cover(
  fromMs: number,
  toMs: number,
  [level, ...finer]: readonly Level[],
  foldedUntilMs: number,
): readonly Segment[] {
  if (level === undefined || fromMs >= toMs) return [];
  if (level === MINUTES) return [{ level, fromMs, toMs }];
  const { bucketMs } = level;
  const start = ceilTo(fromMs, bucketMs);
  const end = floorTo(Math.min(toMs, foldedUntilMs), bucketMs);
  if (start >= end) return cover(fromMs, toMs, finer, foldedUntilMs);
  return [
    ...cover(fromMs, start, finer, foldedUntilMs),
    { level, fromMs: start, toMs: end },
    ...cover(end, toMs, finer, foldedUntilMs),
  ];
}
