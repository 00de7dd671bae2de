import { DAY_MS, HOUR_MS, MINUTE_MS } from "../core/durations.js";
import type { UsageBucket } from "../core/usage.js";

/** Which roll-ups a range of time is read from. */
export interface Segment {
  readonly table: "rollups_minute" | "rollups_hour" | "rollups_day";
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

/** The step of each table. */
export const TABLE_MS: Readonly<Record<Segment["table"], number>> = {
  rollups_minute: MINUTE_MS,
  rollups_hour: HOUR_MS,
  rollups_day: DAY_MS,
};

/** A segment that is read from one kind of table. */
export interface Piece extends Segment {
  /** Read from the totals by name instead of from the roll-ups by combination. */
  readonly totals: boolean;
}

/** Segments cut where the totals end: they hold the minutes before `foldedUntilMs`, a whole minute. */
export function cutAtTotals(segments: readonly Segment[], foldedUntilMs: number): readonly Piece[] {
  return segments.flatMap(({ table, fromMs, toMs }) => {
    const edgeMs = Math.min(Math.max(foldedUntilMs, fromMs), toMs);
    const pieces: readonly Piece[] = [
      { table, fromMs, toMs: edgeMs, totals: true },
      { table, fromMs: edgeMs, toMs, totals: false },
    ];
    return pieces.filter((piece) => piece.fromMs < piece.toMs);
  });
}

const LEVELS = [
  { table: "rollups_day", ms: DAY_MS },
  { table: "rollups_hour", ms: HOUR_MS },
  { table: "rollups_minute", ms: MINUTE_MS },
] as const;

/**
 * Covers a range by segments that do not overlap, the coarsest tables first. The range is widened to whole
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
  const first = LEVELS.findIndex((level) => range.bucket === "ALL" || level.ms === stepMs);
  return cover(fromMs, toMs, first, state.foldedUntilMs);
}

function allStep(fromMs: number, state: RollupState): number {
  if (fromMs < state.hoursFromMs) return DAY_MS;
  return fromMs < state.minutesFromMs ? HOUR_MS : MINUTE_MS;
}

function cover(fromMs: number, toMs: number, level: number, foldedUntilMs: number): Segment[] {
  const unit = LEVELS[level];
  if (unit === undefined || fromMs >= toMs) return [];
  if (unit.table === "rollups_minute") return [{ table: unit.table, fromMs, toMs }];
  const start = ceilTo(fromMs, unit.ms);
  const end = Math.min(floorTo(toMs, unit.ms), floorTo(foldedUntilMs, unit.ms));
  if (start >= end) return cover(fromMs, toMs, level + 1, foldedUntilMs);
  return [
    ...cover(fromMs, start, level + 1, foldedUntilMs),
    { table: unit.table, fromMs: start, toMs: end },
    ...cover(end, toMs, level + 1, foldedUntilMs),
  ];
}

function floorTo(ms: number, stepMs: number): number {
  return Math.floor(ms / stepMs) * stepMs;
}

function ceilTo(ms: number, stepMs: number): number {
  return Math.ceil(ms / stepMs) * stepMs;
}
