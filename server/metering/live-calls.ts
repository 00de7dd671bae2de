import type { CallRecord } from "../core/call.js";
import type { Clock, Timer } from "../core/clock.js";
import { Subscriber } from "../core/subscriber.js";

/** Calls in one batch; what comes on top in the same quarter of a second is left out and counted. */
export const LIVE_BATCH_CALLS_MAX = 50;
/** Time between batches. */
export const LIVE_BATCH_INTERVAL_MS = 250;
/** Finished calls kept for watchers who join. */
export const BACKFILL_CALLS_MAX = 500;
/** Filtering costs the hot path, so there is a limit to who may watch at once. */
export const LIVE_WATCHERS_MAX = 64;

export interface CallSubscription {
  readonly filter: (record: CallRecord) => boolean;
  /** How many of the last matching calls to begin with; at most 500 are looked at. */
  readonly backfill: number;
  /** Ends the subscription. */
  readonly signal?: AbortSignal;
}

export interface CallBatch {
  /** Oldest first. */
  readonly calls: readonly CallRecord[];
  /** Matching calls that were left out, since the watcher joined. */
  readonly dropped: number;
}

interface Watcher {
  readonly filter: (record: CallRecord) => boolean;
  /** The newest matching calls since the last batch. */
  calls: CallRecord[];
  /** True once the interval is over and the calls may go out. */
  due: boolean;
  dropped: number;
  readonly subscriber: Subscriber;
}

/**
 * Shows finished calls as they come, in small batches. A watcher holds at most one batch: if more match, or
 * it reads too slowly, older calls give way to newer ones and are counted as dropped.
 */
export class LiveCalls {
  readonly #clock: Clock;
  readonly #recent: CallRecord[] = [];
  #recentAt = 0;
  readonly #watchers = new Set<Watcher>();
  #timer: Timer | undefined;
  #closed = false;

  constructor(options: { readonly clock: Clock }) {
    this.#clock = options.clock;
  }

  get watchers(): number {
    return this.#watchers.size;
  }

  publish(record: CallRecord): void {
    this.#recent[this.#recentAt] = record;
    this.#recentAt = (this.#recentAt + 1) % BACKFILL_CALLS_MAX;
    if (this.#watchers.size === 0) return;
    for (const watcher of this.#watchers) offer(watcher, record);
    this.#schedule();
  }

  /** The last finished calls that match, oldest first, at most `max`. */
  recent(filter: (record: CallRecord) => boolean, max: number): readonly CallRecord[] {
    const found: CallRecord[] = [];
    for (let i = 1; i <= this.#recent.length && found.length < max; i++) {
      const at = (this.#recentAt - i + BACKFILL_CALLS_MAX) % BACKFILL_CALLS_MAX;
      const record = this.#recent[at];
      if (record !== undefined && filter(record)) found.push(record);
    }
    return found.toReversed();
  }

  /** Batches until the consumer stops or the signal ends it; the backfill comes first, in batches of its own. */
  async *subscribe(options: CallSubscription): AsyncGenerator<CallBatch, void, undefined> {
    const watcher: Watcher = {
      filter: options.filter,
      calls: [],
      due: false,
      dropped: 0,
      subscriber: new Subscriber(options.signal),
    };
    const { subscriber } = watcher;
    if (this.#closed) subscriber.end();
    this.#watchers.add(watcher);
    const backfill = this.recent(options.filter, options.backfill);
    try {
      for (let i = 0; i < backfill.length && !subscriber.ended; i += LIVE_BATCH_CALLS_MAX) {
        yield { calls: backfill.slice(i, i + LIVE_BATCH_CALLS_MAX), dropped: watcher.dropped };
      }
      while (!subscriber.ended) {
        if (watcher.due) yield take(watcher);
        else await subscriber.woken();
      }
    } finally {
      this.#watchers.delete(watcher);
      subscriber.release();
    }
  }

  /** Ends all subscriptions. */
  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    for (const watcher of this.#watchers) watcher.subscriber.end();
  }

  #schedule(): void {
    if (this.#timer !== undefined || this.#closed) return;
    this.#timer = this.#clock.setTimer(() => {
      this.#timer = undefined;
      for (const watcher of this.#watchers) {
        if (watcher.calls.length === 0) continue;
        watcher.due = true;
        watcher.subscriber.wake();
      }
    }, LIVE_BATCH_INTERVAL_MS);
  }
}

function offer(watcher: Watcher, record: CallRecord): void {
  if (!watcher.filter(record)) return;
  watcher.calls.push(record);
  // Twice the batch is held and then halved, so that dropping costs constant time per call.
  if (watcher.calls.length >= 2 * LIVE_BATCH_CALLS_MAX) cut(watcher);
}

function take(watcher: Watcher): CallBatch {
  cut(watcher);
  const { calls, dropped } = watcher;
  watcher.calls = [];
  watcher.due = false;
  return { calls, dropped };
}

function cut(watcher: Watcher): void {
  const over = watcher.calls.length - LIVE_BATCH_CALLS_MAX;
  if (over <= 0) return;
  watcher.calls = watcher.calls.slice(over);
  watcher.dropped += over;
}
