import { percentileOf, WindowHistogram } from "./histogram.js";

/** Length of the spans in which one group's calls are added up. */
const SPAN_SECONDS = 15;
/** Enough spans for the longest window and the running one. */
const SPANS = 61;
/** When the table is full, this share of it, the longest unused, makes room at once. */
const EVICT_SHARE = 8;
const COLUMNS = 6;

interface Entry {
  lastSpan: number;
  /** Which span each row holds; -1 for none. */
  readonly held: Float64Array;
  /** One row of `GroupEvent` sums per span. Few columns, since there may be thousands of entries. */
  readonly rows: Float64Array;
  /** The same of all spans that have made room for later ones. */
  readonly past: Float64Array;
  readonly latency: WindowHistogram | undefined;
}

/** What one call, or one attempt, adds to its group. */
export interface GroupEvent {
  readonly success: boolean;
  readonly durationMs: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** Null when the model has no price. */
  readonly costMicros: number | null;
}

/** Sums over one group's calls, or attempts. Integers; money in micro-US-dollars. */
export interface GroupSums {
  readonly key: string;
  readonly calls: number;
  readonly successes: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly costMicros: number;
  readonly unpricedCalls: number;
}

export interface GroupWindow extends GroupSums {
  /** What the sums cover: the window, widened to the start of a span. */
  readonly seconds: number;
  /** Milliseconds; null without calls, and where percentiles are not kept. */
  readonly latencyP50Ms: number | null;
  readonly latencyP95Ms: number | null;
}

export interface DimensionOptions {
  /** Groups kept; the longest unused go when more come. */
  readonly entriesMax: number;
  /** Length of the spans of latency percentiles, which a window is widened to; 0 keeps none. */
  readonly latencySpanSeconds: number;
}

/** Sums of calls by one property of theirs, for the last quarter of an hour, in bounded memory. */
export class DimensionTable {
  readonly #options: DimensionOptions;
  readonly #latencySpans: number;
  readonly #entries = new Map<string, Entry>();

  constructor(options: DimensionOptions) {
    this.#options = options;
    const { latencySpanSeconds } = options;
    this.#latencySpans = latencySpanSeconds === 0 ? 0 : Math.ceil(900 / latencySpanSeconds) + 1;
  }

  get size(): number {
    return this.#entries.size;
  }

  add(key: string, second: number, event: GroupEvent): void {
    const span = Math.floor(second / SPAN_SECONDS);
    const entry = this.#entries.get(key) ?? this.#create(key);
    const row = span % SPANS;
    if (entry.lastSpan !== span) beginSpan(entry, span);
    addTo(entry.rows, row * COLUMNS, event);
    if (entry.latency === undefined) return;
    entry.latency.add(Math.floor(second / this.#options.latencySpanSeconds), event.durationMs);
  }

  /** All groups with calls in the spans that cover the seconds `first` to `last`, in no order. */
  window(first: number, last: number): readonly GroupWindow[] {
    const from = Math.floor(first / SPAN_SECONDS);
    const groups: GroupWindow[] = [];
    for (const [key, entry] of this.#entries) {
      if (entry.lastSpan >= from) groups.push(this.#read(key, entry, { first, last }));
    }
    return groups;
  }

  /** One group in a window; undefined when it is not in the table. */
  one(key: string, first: number, last: number): GroupWindow | undefined {
    const entry = this.#entries.get(key);
    return entry === undefined ? undefined : this.#read(key, entry, { first, last });
  }

  /** Sums of each group since it came into the table. */
  totals(): readonly GroupSums[] {
    return [...this.#entries].map(([key, entry]) => readSums(key, totalsOf(entry)));
  }

  #read(key: string, entry: Entry, seconds: { first: number; last: number }): GroupWindow {
    const from = Math.floor(seconds.first / SPAN_SECONDS);
    const sums = sumOf(entry, from, Math.floor(seconds.last / SPAN_SECONDS));
    const { latencySpanSeconds } = this.#options;
    const counts = entry.latency?.counts(
      Math.floor(seconds.first / latencySpanSeconds),
      Math.floor(seconds.last / latencySpanSeconds),
    );
    return {
      ...readSums(key, sums),
      seconds: seconds.last - from * SPAN_SECONDS + 1,
      latencyP50Ms: counts === undefined ? null : percentileOf(counts, 0.5),
      latencyP95Ms: counts === undefined ? null : percentileOf(counts, 0.95),
    };
  }

  #create(key: string): Entry {
    if (this.#entries.size >= this.#options.entriesMax) this.#evict();
    const entry = {
      lastSpan: -1,
      held: new Float64Array(SPANS).fill(-1),
      rows: new Float64Array(SPANS * COLUMNS),
      past: new Float64Array(COLUMNS),
      latency: this.#latencySpans === 0 ? undefined : new WindowHistogram(this.#latencySpans),
    };
    this.#entries.set(key, entry);
    return entry;
  }

  /** Several at once, so that a stream of new keys does not sort the table for each of them. */
  #evict(): void {
    const oldest = [...this.#entries].toSorted((a, b) => a[1].lastSpan - b[1].lastSpan);
    const count = Math.max(1, Math.floor(this.#options.entriesMax / EVICT_SHARE));
    for (const [key] of oldest.slice(0, count)) this.#entries.delete(key);
  }
}

/** Takes the row of a span that is long over. */
function beginSpan(entry: Entry, span: number): void {
  const row = span % SPANS;
  addRow(entry.past, entry, row);
  entry.rows.fill(0, row * COLUMNS, (row + 1) * COLUMNS);
  entry.held[row] = span;
  entry.lastSpan = span;
}

function addTo(rows: Float64Array, at: number, event: GroupEvent): void {
  rows[at] = (rows[at] ?? 0) + 1;
  if (event.success) rows[at + 1] = (rows[at + 1] ?? 0) + 1;
  rows[at + 2] = (rows[at + 2] ?? 0) + event.inputTokens;
  rows[at + 3] = (rows[at + 3] ?? 0) + event.outputTokens;
  if (event.costMicros === null) rows[at + 5] = (rows[at + 5] ?? 0) + 1;
  else rows[at + 4] = (rows[at + 4] ?? 0) + event.costMicros;
}

function sumOf(entry: Entry, from: number, to: number): Float64Array {
  const sum = new Float64Array(COLUMNS);
  for (let row = 0; row < SPANS; row++) {
    const span = entry.held[row] ?? -1;
    if (span >= from && span <= to && span >= 0) addRow(sum, entry, row);
  }
  return sum;
}

function totalsOf(entry: Entry): Float64Array {
  const sum = entry.past.slice();
  for (let row = 0; row < SPANS; row++) addRow(sum, entry, row);
  return sum;
}

function addRow(sum: Float64Array, { rows }: Entry, row: number): void {
  for (let i = 0; i < COLUMNS; i++) sum[i] = (sum[i] ?? 0) + (rows[row * COLUMNS + i] ?? 0);
}

function readSums(key: string, row: Float64Array): GroupSums {
  const [calls = 0, successes = 0, inputTokens = 0, outputTokens = 0] = row;
  const [, , , , costMicros = 0, unpricedCalls = 0] = row;
  return { key, calls, successes, inputTokens, outputTokens, costMicros, unpricedCalls };
}
