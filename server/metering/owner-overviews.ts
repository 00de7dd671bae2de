import type { CallRecord } from "../core/call.js";
import { Fault } from "../core/fault.js";
import { LiveOverview } from "./live-overview.js";
import { Meter, WINDOW_SECONDS_MAX } from "./meter.js";
import { seedSpend, seedSpendAgain, type SpendSource } from "./seed-spend.js";
import { buildSnapshot, type SnapshotSources } from "./snapshot-builder.js";

/** Owners whose calls are counted on their own at a time; each takes about a megabyte. */
export const OWNER_OVERVIEWS_MAX = 64;
/** How long one is kept after its last watcher left, so that who returns finds the window full. */
const KEPT_MS = WINDOW_SECONDS_MAX * 1000;

export interface OwnerOverviewsOptions extends Pick<SnapshotSources, "nameOf">, SpendSource {
  /** The state of an owner's own provider keys. */
  readonly poolSummary: (ownerId: string) => ReturnType<SnapshotSources["poolSummary"]>;
  /** Calls of an owner that are under way. */
  readonly inflight: (ownerId: string) => number;
}

interface Held {
  readonly meter: Meter;
  readonly overview: LiveOverview;
  /** Monotonic time at which it was asked for last, or seen to be watched. */
  usedAtMs: number;
}

/**
 * The overview of one owner's calls and keys, for those who may see their own things only. Nothing is counted
 * for an owner until somebody watches: from then on, so that the seconds before are gaps.
 */
export class OwnerOverviews {
  readonly #options: OwnerOverviewsOptions;
  readonly #held = new Map<string, Held>();
  #closed = false;

  constructor(options: OwnerOverviewsOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#held.size;
  }

  /** Counts a finished call if its owner is watched. */
  add(record: CallRecord): void {
    if (this.#held.size > 0) this.#held.get(record.ownerId)?.meter.add(record);
  }

  /** The overview of an owner. Throws Fault `overloaded` when too many owners are watched. */
  async of(ownerId: string): Promise<LiveOverview> {
    this.#forgetUnwatched();
    const known = this.#held.get(ownerId);
    if (known !== undefined) return known.overview;
    if (this.#held.size >= OWNER_OVERVIEWS_MAX) {
      throw new Fault("overloaded", "Too many users watch their overview; try again later.", {
        retryAfterSeconds: 60,
      });
    }
    const { clock, ledger } = this.#options;
    const meter = new Meter({
      clock,
      onUnknownSpend: () => void seedSpendAgain(meter, this.#options, ownerId),
    });
    await seedSpend(meter, ledger, clock.now(), ownerId);
    // Somebody else may have asked meanwhile; then theirs counts.
    const held = this.#held.get(ownerId) ?? this.#hold(ownerId, meter);
    return held.overview;
  }

  /** Ends all watchers. */
  close(): void {
    this.#closed = true;
    for (const { overview } of this.#held.values()) overview.close();
  }

  #hold(ownerId: string, meter: Meter): Held {
    const { clock, nameOf, poolSummary, inflight } = this.#options;
    const sources = { meter, clock, nameOf, poolSummary: () => poolSummary(ownerId) };
    const overview = new LiveOverview({
      clock,
      build: (tick) => {
        meter.setInflight(inflight(ownerId));
        return buildSnapshot(sources, tick);
      },
    });
    const held = { meter, overview, usedAtMs: clock.monotonic() };
    this.#held.set(ownerId, held);
    if (this.#closed) overview.close();
    return held;
  }

  #forgetUnwatched(): void {
    const nowMs = this.#options.clock.monotonic();
    for (const [ownerId, held] of this.#held) {
      if (held.overview.watchers > 0) held.usedAtMs = nowMs;
      else if (nowMs - held.usedAtMs > KEPT_MS || this.#held.size >= OWNER_OVERVIEWS_MAX) {
        held.overview.close();
        this.#held.delete(ownerId);
      }
    }
  }
}
