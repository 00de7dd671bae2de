import type { CallRecord } from "../core/call.js";
import type { BatchNews, FinishedCall } from "../core/finished-call.js";
import { MINUTE_MS } from "../core/durations.js";
import { floorTo } from "../core/multiples.js";
import type { JsonWriter } from "../core/json-writer.js";
import { fillRefs, writeRow } from "./call-rows.js";
import type { Combination, CountedNames, LedgerRefs } from "./ledger-refs.js";
import { type CombinationSum, MinuteSums } from "./rollup-rows.js";

/** Names that the database has not numbered yet, and where the numbers go in the rows of their calls. */
interface Unnumbered {
  readonly names: CountedNames;
  readonly places: number[];
}

/** Which calls of a batch began in one minute: from the first of them to the last, counted from 0. */
export interface MinuteSpan {
  readonly minuteMs: number;
  readonly first: number;
  last: number;
}

/**
 * Calls on their way into the database: their rows as JSON, and what they add up to. Both are made as each call
 * arrives, so that its record can be freed at once and need not wait until the batch is full.
 */
export class RowBatch {
  /** Client keys of the calls. */
  readonly clientKeyIds = new Set<string>();
  /** What the calls make known of batches and responses, in their order. */
  readonly news: BatchNews[] = [];
  readonly #refs: LedgerRefs;
  readonly #rows: JsonWriter;
  readonly #sums = new MinuteSums<Combination | Unnumbered>();
  readonly #spans = new Map<number, MinuteSpan>();
  /** That of the last call, which most share with the next one. */
  #span: MinuteSpan | undefined;
  readonly #unnumbered = new Map<string, Unnumbered>();
  #size = 0;
  #closed = false;

  /** `rows` is empty, and nobody else's until the batch is in the database. */
  constructor(refs: LedgerRefs, rows: JsonWriter) {
    this.#refs = refs;
    this.#rows = rows;
    rows.openList();
  }

  /** Calls in it. */
  get size(): number {
    return this.#size;
  }

  /** Takes a call; not after the rows have been asked for. */
  add(call: FinishedCall): void {
    const known = this.#refs.known(call);
    const places = writeRow(this.#rows, call, known?.refs);
    this.#sums.add(call, known ?? this.#unnumberedOf(call, places));
    this.clientKeyIds.add(call.clientKeyId);
    if (call.news !== undefined) this.news.push(call.news);
    this.#noteMinute(floorTo(call.startedAt, MINUTE_MS));
    this.#size += 1;
  }

  /** What has to be given numbers before the rows are whole, in the order in which `number` wants them. */
  get unnumbered(): readonly CountedNames[] {
    return [...this.#unnumbered.values()].map(({ names }) => names);
  }

  /** Makes rows and sums whole with the numbers of what was not numbered; others than before, after a roll-back. */
  number(combinations: readonly Combination[]): {
    /** A JSON array in UTF-8. */
    readonly rows: Buffer;
    readonly sums: readonly CombinationSum[];
  } {
    const numbered = new Map<Unnumbered, Combination>();
    for (const [index, each] of [...this.#unnumbered.values()].entries()) {
      const combination = found(combinations[index]);
      numbered.set(each, combination);
      for (const places of each.places) fillRefs(this.#rows, places, combination.refs);
    }
    const sums = this.#sums.sums.map(({ bucketMs, combination, counters }) => ({
      bucketMs,
      combination: "refs" in combination ? combination : found(numbered.get(combination)),
      counters,
    }));
    return { rows: this.#closedRows(), sums };
  }

  get spans(): Iterable<MinuteSpan> {
    return this.#spans.values();
  }

  #unnumberedOf(call: CallRecord, place: number): Unnumbered {
    const { clientKeyId, ownerId, providerKeyId, providerId, modelServed, status } = call;
    const names = { clientKeyId, ownerId, providerKeyId, providerId, modelServed, status };
    const key = JSON.stringify(names);
    let unnumbered = this.#unnumbered.get(key);
    if (unnumbered === undefined) {
      this.#unnumbered.set(key, (unnumbered = { names, places: [] }));
    }
    unnumbered.places.push(place);
    return unnumbered;
  }

  #noteMinute(minuteMs: number): void {
    if (this.#span?.minuteMs !== minuteMs) this.#span = this.#spanOf(minuteMs);
    this.#span.last = this.#size;
  }

  #spanOf(minuteMs: number): MinuteSpan {
    const known = this.#spans.get(minuteMs);
    if (known !== undefined) return known;
    const span = { minuteMs, first: this.#size, last: this.#size };
    this.#spans.set(minuteMs, span);
    return span;
  }

  #closedRows(): Buffer {
    if (!this.#closed) {
      this.#closed = true;
      this.#rows.closeList();
      // Without the comma behind it.
      this.#rows.moveTo(this.#rows.length - 1);
    }
    return this.#rows.written;
  }
}

function found(combination: Combination | undefined): Combination {
  if (combination === undefined) throw new Error("a combination of names has no number");
  return combination;
}
