import type { AttemptOutcome, CallRecord } from "../core/call.js";
import type { Clock } from "../core/clock.js";
import { addCall, COLUMNS, readSums, type CallSums } from "./call-sums.js";
import { DimensionTable, type GroupSums, type GroupWindow } from "./dimension-table.js";
import {
  percentileOf,
  TotalHistogram,
  WindowHistogram,
  type HistogramTotals,
} from "./histogram.js";
import { addToGroups, type Dimension } from "./group-events.js";
import { LevelRing } from "./level-ring.js";
import { RecentErrors, type RecentError } from "./recent-errors.js";
import { RING_SECONDS, SecondRing } from "./second-ring.js";
import { SpendCounter, type Spend } from "./spend.js";

/** Longest window that can be asked for. */
export const WINDOW_SECONDS_MAX = 900;
/** Reasons and codes are closed lists elsewhere; this only bounds the memory should one not be. */
const LABELS_MAX = 200;

/** Percentiles in milliseconds; null without calls. */
export interface Percentiles {
  readonly p50Ms: number | null;
  readonly p95Ms: number | null;
}

/** A window: how many seconds it covers really (less than asked for just after the start) and its sums. */
export interface MeterWindow {
  readonly seconds: number;
  readonly sums: CallSums;
}

/** One second of history. */
export interface HistorySecond {
  /** Start of the second, milliseconds since the epoch. */
  readonly atMs: number;
  /** The process did not run yet in this second, which is not the same as no calls. */
  readonly gap: boolean;
  readonly sums: CallSums;
  readonly latency: Percentiles;
  /** Calls in flight at the end of the second. */
  readonly inflight: number;
}

/** Everything since the start of the process. */
export interface MeterTotals {
  readonly sums: CallSums;
  readonly latency: HistogramTotals;
  readonly ttfb: HistogramTotals;
  readonly errorsByCode: ReadonlyMap<string, number>;
  readonly attemptsByOutcome: ReadonlyMap<string, number>;
  readonly refusedByReason: ReadonlyMap<string, number>;
  readonly providers: readonly GroupSums[];
}

/**
 * Counts calls as they finish, in memory alone: sums by the second, durations in buckets, groups by their
 * newest use. Adding is constant work; all arithmetic is left to whoever looks. Time is the monotonic
 * clock's, so that setting the wall clock neither loses nor repeats a second.
 */
export class Meter {
  readonly #clock: Clock;
  /** The monotonic second in which the meter began; seconds count from it. */
  readonly #originMs: number;
  readonly #ring = new SecondRing();
  readonly #latency = new WindowHistogram(RING_SECONDS);
  readonly #ttfb = new WindowHistogram(RING_SECONDS);
  readonly #totals = new Float64Array(COLUMNS);
  readonly #latencyTotals = new TotalHistogram();
  readonly #ttfbTotals = new TotalHistogram();
  readonly #tables: Readonly<Record<Dimension, DimensionTable>> = {
    PROVIDER: new DimensionTable({ entriesMax: 100, latencySpanSeconds: 15 }),
    PROVIDER_KEY: new DimensionTable({ entriesMax: 2000, latencySpanSeconds: 300 }),
    CLIENT_KEY: new DimensionTable({ entriesMax: 1000, latencySpanSeconds: 0 }),
    OWNER: new DimensionTable({ entriesMax: 1000, latencySpanSeconds: 0 }),
    MODEL: new DimensionTable({ entriesMax: 500, latencySpanSeconds: 0 }),
  };
  readonly #inflight = new LevelRing();
  readonly #errors = new RecentErrors();
  readonly #spend: SpendCounter;
  readonly #errorsByCode = new Map<string, number>();
  readonly #attemptsByOutcome = new Map<AttemptOutcome, number>();
  readonly #refusedByReason = new Map<string, number>();

  /** `onUnknownSpend`: the clock was set to a day or month of which the meter may not know all; seed it again. */
  constructor(options: { readonly clock: Clock; readonly onUnknownSpend?: () => void }) {
    this.#clock = options.clock;
    this.#spend = new SpendCounter(options.clock.now(), options.onUnknownSpend);
    this.#originMs = options.clock.monotonic();
  }

  /** Counts a finished call. */
  add(record: CallRecord): void {
    const second = this.#second();
    const nowMs = this.#clock.now();
    this.#ring.add(second, record);
    addCall(this.#totals, 0, record);
    this.#latency.add(second, record.latencyMs);
    this.#latencyTotals.add(record.latencyMs);
    if (record.ttfbMs !== null) {
      this.#ttfb.add(second, record.ttfbMs);
      this.#ttfbTotals.add(record.ttfbMs);
    }
    addToGroups(this.#tables, second, record);
    this.#errors.add(record, nowMs);
    if (record.providerId !== null) this.#spend.add(record.startedAt, record.costMicros, nowMs);
    if (record.errorCode !== null) count(this.#errorsByCode, record.errorCode);
    for (const attempt of record.attempts) count(this.#attemptsByOutcome, attempt.outcome);
  }

  /** Says how many calls are in flight from now on. */
  setInflight(calls: number): void {
    this.#inflight.set(this.#second(), calls);
  }

  get inflight(): number {
    return this.#inflight.now;
  }

  /** Counts a refusal before any client key was known. */
  refused(reason: string): void {
    count(this.#refusedByReason, reason);
  }

  /** Takes over what was spent today and this month, as the database knows it. */
  seedSpend(spent: Spend): void {
    this.#spend.seed(spent, this.#clock.now());
  }

  get spend(): Spend {
    return this.#spend.read(this.#clock.now());
  }

  /** The last `seconds` with the running one: for shares, which must hold the newest call. */
  window(seconds: number): MeterWindow {
    const { first, last } = this.#span(seconds);
    return { seconds: last - first + 1, sums: readSums(this.#ring.sum(first, last)) };
  }

  /** The last `seconds` whole ones: for rates, which the running second would drag down. */
  wholeSeconds(seconds: number): MeterWindow {
    const last = this.#second() - 1;
    const first = Math.max(0, last - Math.min(seconds, WINDOW_SECONDS_MAX) + 1);
    return {
      seconds: Math.max(0, last - first + 1),
      sums: readSums(this.#ring.sum(first, last)),
    };
  }

  latency(seconds: number): Percentiles {
    const { first, last } = this.#span(seconds);
    return percentiles(this.#latency.counts(first, last));
  }

  ttfb(seconds: number): Percentiles {
    const { first, last } = this.#span(seconds);
    return percentiles(this.#ttfb.counts(first, last));
  }

  /** The last `seconds` whole ones, oldest first; those before the process began are gaps. */
  history(seconds: number): readonly HistorySecond[] {
    const now = this.#second();
    const nowMs = this.#clock.now();
    const intoSecondMs = this.#clock.monotonic() - this.#originMs - now * 1000;
    const history: HistorySecond[] = [];
    for (let second = now - seconds; second < now; second++) {
      history.push({
        atMs: Math.round(nowMs - intoSecondMs - (now - second) * 1000),
        gap: second < 0,
        sums: readSums(this.#ring.sum(second, second)),
        latency: percentiles(this.#latency.counts(second, second)),
        inflight: second < 0 ? 0 : this.#inflight.at(second),
      });
    }
    return history;
  }

  /** Groups with calls in the last `seconds`, in no order. */
  groups(dimension: Dimension, seconds: number): readonly GroupWindow[] {
    const { first, last } = this.#span(seconds);
    return this.#tables[dimension].window(first, last);
  }

  /** One group in the last `seconds`; undefined when it had no calls lately. */
  group(dimension: Dimension, key: string, seconds: number): GroupWindow | undefined {
    const { first, last } = this.#span(seconds);
    return this.#tables[dimension].one(key, first, last);
  }

  /** Calls with trouble, newest first. */
  recentErrors(afterSeq = 0, max?: number): readonly RecentError[] {
    return this.#errors.newest(afterSeq, max);
  }

  totals(): MeterTotals {
    return {
      sums: readSums(this.#totals),
      latency: this.#latencyTotals.read(),
      ttfb: this.#ttfbTotals.read(),
      errorsByCode: this.#errorsByCode,
      attemptsByOutcome: this.#attemptsByOutcome,
      refusedByReason: this.#refusedByReason,
      providers: this.#tables.PROVIDER.totals(),
    };
  }

  #span(seconds: number): { first: number; last: number } {
    const last = this.#second();
    return { first: Math.max(0, last - Math.min(seconds, WINDOW_SECONDS_MAX) + 1), last };
  }

  #second(): number {
    return Math.floor((this.#clock.monotonic() - this.#originMs) / 1000);
  }
}

function percentiles(counts: Uint32Array): Percentiles {
  return { p50Ms: percentileOf(counts, 0.5), p95Ms: percentileOf(counts, 0.95) };
}

function count<K extends string>(counts: Map<K, number>, label: K): void {
  const before = counts.get(label);
  if (before === undefined && counts.size >= LABELS_MAX) return;
  counts.set(label, (before ?? 0) + 1);
}
