/** Each bucket is this much wider than the one before it; half of it, as a ratio, bounds the error. */
const GROWTH = 1.1;
const LOG_GROWTH = Math.log(GROWTH);
/** Bucket 0 holds what is below 1 ms, the last one what is above about an hour. */
export const HISTOGRAM_BUCKETS = 160;
/** A percentile read from the buckets is off by no more than this share of the true value (from 1 ms up). */
export const PERCENTILE_ERROR_MAX = Math.sqrt(GROWTH) - 1;

/** The bucket of a duration in milliseconds. */
export function bucketOf(durationMs: number): number {
  if (!(durationMs >= 1)) return 0;
  return Math.min(HISTOGRAM_BUCKETS - 1, 1 + Math.floor(Math.log(durationMs) / LOG_GROWTH));
}

/** The middle of a bucket, in milliseconds, by ratio. */
function middleOf(bucket: number): number {
  return bucket === 0 ? 0.5 : GROWTH ** (bucket - 0.5);
}

/** The value in milliseconds that `share` (0 to 1) of the counted durations do not exceed; null without any. */
export function percentileOf(counts: ArrayLike<number>, share: number): number | null {
  let total = 0;
  for (let i = 0; i < counts.length; i++) total += counts[i] ?? 0;
  if (total === 0) return null;
  const rank = Math.max(1, Math.ceil(share * total));
  let seen = 0;
  for (let i = 0; i < counts.length; i++) {
    seen += counts[i] ?? 0;
    if (seen >= rank) return middleOf(i);
  }
  return middleOf(counts.length - 1);
}

/** What a ring row holds: durations of one span, by bucket. */
interface SpanCounts {
  span: number;
  readonly counts: Uint32Array;
}

/**
 * Durations counted in a ring of equal spans of time, so that percentiles of the last minutes can be had at
 * any moment. A span is identified by its number, which only rises. A row is made when it is first needed: most rings
 * belong to keys that are seldom used.
 */
export class WindowHistogram {
  readonly #rows: (SpanCounts | undefined)[];

  constructor(spans: number) {
    this.#rows = Array.from({ length: spans }, () => undefined);
  }

  add(span: number, durationMs: number): void {
    const at = span % this.#rows.length;
    let row = this.#rows[at];
    if (row === undefined) {
      row = { span, counts: new Uint32Array(HISTOGRAM_BUCKETS) };
      this.#rows[at] = row;
    } else if (row.span !== span) {
      row.counts.fill(0);
      row.span = span;
    }
    const bucket = bucketOf(durationMs);
    row.counts[bucket] = (row.counts[bucket] ?? 0) + 1;
  }

  /** Counts of the spans `first` to `last`, both included, added up. */
  counts(first: number, last: number): Uint32Array {
    const sum = new Uint32Array(HISTOGRAM_BUCKETS);
    const spans = this.#rows.length;
    for (let span = Math.max(0, first, last - spans + 1); span <= last; span++) {
      const row = this.#rows[span % spans];
      if (row?.span !== span) continue;
      for (let i = 0; i < HISTOGRAM_BUCKETS; i++) sum[i] = (sum[i] ?? 0) + (row.counts[i] ?? 0);
    }
    return sum;
  }
}

/** Upper bounds in seconds of the buckets that Prometheus sees. */
const DURATION_BOUNDS_SECONDS = [
  0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600,
] as const;

/** Durations since the start of the process, in the buckets that Prometheus sees. */
export class TotalHistogram {
  readonly #counts = new Float64Array(DURATION_BOUNDS_SECONDS.length + 1);
  #sumSeconds = 0;

  add(durationMs: number): void {
    const seconds = durationMs / 1000;
    let i = 0;
    while (i < DURATION_BOUNDS_SECONDS.length && seconds > (DURATION_BOUNDS_SECONDS[i] ?? 0)) i++;
    this.#counts[i] = (this.#counts[i] ?? 0) + 1;
    this.#sumSeconds += seconds;
  }

  /** Counts by bucket, each without those before it; the last is above all bounds. */
  read(): HistogramTotals {
    return {
      boundsSeconds: DURATION_BOUNDS_SECONDS,
      counts: [...this.#counts],
      sumSeconds: this.#sumSeconds,
    };
  }
}

export interface HistogramTotals {
  readonly boundsSeconds: readonly number[];
  readonly counts: readonly number[];
  readonly sumSeconds: number;
}
