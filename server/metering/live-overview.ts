import type { Clock, Timer } from "../core/clock.js";
import { Subscriber } from "../core/subscriber.js";
import { WINDOW_SECONDS_MAX } from "./meter.js";
import type { OverviewSnapshot } from "./snapshot.js";

/** Ticks are on this grid, so that watchers with different intervals share snapshots. */
const TICK_MS = 250;
const INTERVAL_MS_MAX = 5000;
/** Windows that can be chosen; others are widened to the next, so that few snapshots serve all watchers. */
const WINDOWS_SECONDS = [10, 60, 300, WINDOW_SECONDS_MAX] as const;

export interface OverviewSubscription {
  /** Clamped to 250 to 5000 and rounded up to a multiple of 250. */
  readonly intervalMs: number;
  /** 10, 60, 300 or 900; others are rounded up. */
  readonly windowSeconds: number;
  /** Ends the subscription. */
  readonly signal?: AbortSignal;
}

export interface OverviewUpdate {
  readonly snapshot: OverviewSnapshot;
  /** Snapshots that this watcher was too slow for, since it began. */
  readonly dropped: number;
}

interface Watcher {
  readonly everyTicks: number;
  readonly windowSeconds: number;
  newest: OverviewSnapshot | undefined;
  dropped: number;
  readonly subscriber: Subscriber;
}

export interface LiveOverviewOptions {
  readonly clock: Clock;
  /** Makes the snapshot of a tick; called once per tick and window, however many watch. */
  readonly build: (tick: { seq: number; windowSeconds: number }) => OverviewSnapshot;
}

/**
 * Gives each watcher the newest snapshot when it is ready for one: whoever reads slowly skips some, and
 * nothing piles up. Nothing runs while nobody watches.
 */
export class LiveOverview {
  readonly #clock: Clock;
  readonly #build: LiveOverviewOptions["build"];
  readonly #watchers = new Set<Watcher>();
  #timer: Timer | undefined;
  #tick = 0;
  #closed = false;

  constructor(options: LiveOverviewOptions) {
    this.#clock = options.clock;
    this.#build = options.build;
  }

  get watchers(): number {
    return this.#watchers.size;
  }

  /** A snapshot of now, for those who ask once. */
  current(windowSeconds: number): OverviewSnapshot {
    return this.#build({ seq: this.#tick, windowSeconds: windowOf(windowSeconds) });
  }

  /** The first snapshot comes at once; then one per interval until the consumer stops or the signal ends it. */
  async *subscribe(options: OverviewSubscription): AsyncGenerator<OverviewUpdate, void, undefined> {
    const watcher: Watcher = {
      everyTicks: ticksOf(options.intervalMs),
      windowSeconds: windowOf(options.windowSeconds),
      newest: undefined,
      dropped: 0,
      subscriber: new Subscriber(options.signal),
    };
    const { subscriber } = watcher;
    if (this.#closed) subscriber.end();
    watcher.newest = this.current(watcher.windowSeconds);
    this.#watchers.add(watcher);
    this.#schedule();
    try {
      while (!subscriber.ended) {
        const snapshot = watcher.newest;
        watcher.newest = undefined;
        if (snapshot === undefined) await subscriber.woken();
        else yield { snapshot, dropped: watcher.dropped };
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
    if (this.#timer !== undefined || this.#closed || this.#watchers.size === 0) return;
    this.#timer = this.#clock.setTimer(() => {
      this.#timer = undefined;
      this.#onTick();
      this.#schedule();
    }, TICK_MS);
  }

  #onTick(): void {
    this.#tick += 1;
    const made = new Map<number, OverviewSnapshot>();
    for (const watcher of this.#watchers) {
      if (this.#tick % watcher.everyTicks !== 0) continue;
      const { windowSeconds } = watcher;
      const snapshot = made.get(windowSeconds) ?? this.#build({ seq: this.#tick, windowSeconds });
      made.set(windowSeconds, snapshot);
      if (watcher.newest !== undefined) watcher.dropped += 1;
      watcher.newest = snapshot;
      watcher.subscriber.wake();
    }
  }
}

function ticksOf(intervalMs: number): number {
  const clamped = Math.min(INTERVAL_MS_MAX, Math.max(TICK_MS, intervalMs || TICK_MS));
  return Math.ceil(clamped / TICK_MS);
}

function windowOf(seconds: number): number {
  return WINDOWS_SECONDS.find((window) => seconds <= window) ?? WINDOW_SECONDS_MAX;
}
