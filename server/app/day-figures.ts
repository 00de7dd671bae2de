import type { ClientKeyFacts } from "../control/ports.js";
import type { Clock } from "../core/clock.js";
import { DAY_MS, HOUR_MS } from "../core/durations.js";
import type { Logger } from "../core/logger.js";
import { ALL_USAGE, type UsageRow } from "../core/usage.js";
import type { LedgerStore } from "../metering/ports.js";

/** From so many calls of the last hour on, more failures than successes are worth a look. */
const ERROR_RATE_CALLS_MIN = 20;
/** Figures this old are read anew when somebody looks. */
const FRESH_MS = 10_000;
const NO_CALLS = { calls24h: 0 };

/**
 * Calls of the last 24 hours by client key, and who fails more often than not, for listings. Read from the roll-ups once for all keys and only
 * while somebody looks; a listing never waits for it, so its first look may be without.
 */
export class DayFigures implements ClientKeyFacts {
  readonly #ledger: Pick<LedgerStore, "usage">;
  readonly #clock: Clock;
  readonly #logger: Logger;
  #rows: ReadonlyMap<string, UsageRow> = new Map();
  #hour: ReadonlyMap<string, UsageRow> = new Map();
  #readAtMs = -Infinity;
  /** Figures of some time have been read: whoever is not among them made no calls. */
  #isRead = false;
  #reading = false;

  constructor(options: { ledger: Pick<LedgerStore, "usage">; clock: Clock; logger: Logger }) {
    this.#ledger = options.ledger;
    this.#clock = options.clock;
    this.#logger = options.logger;
  }

  figuresOf({ id }: { readonly id: string }): ReturnType<ClientKeyFacts["figuresOf"]> {
    if (this.#clock.monotonic() - this.#readAtMs > FRESH_MS) void this.refresh();
    const row = this.#rows.get(id);
    if (row === undefined || row.calls === 0) return this.#isRead ? NO_CALLS : {};
    return {
      calls24h: row.calls,
      successRatio24h: (row.calls - row.errors) / row.calls,
      highErrorRate: failsOften(this.#hour.get(id)),
    };
  }

  /** Reads the figures anew; does nothing while that is under way. */
  async refresh(): Promise<void> {
    if (this.#reading) return;
    this.#reading = true;
    const nowMs = this.#clock.now();
    try {
      this.#rows = await this.#usageSince(nowMs - DAY_MS, nowMs);
      this.#hour = await this.#usageSince(nowMs - HOUR_MS, nowMs);
      this.#isRead = true;
    } catch (error) {
      this.#logger.warn({ err: error }, "the figures of the last day could not be read");
    } finally {
      this.#readAtMs = this.#clock.monotonic();
      this.#reading = false;
    }
  }

  async #usageSince(fromMs: number, toMs: number): Promise<ReadonlyMap<string, UsageRow>> {
    const rows = await this.#ledger.usage({
      ...ALL_USAGE,
      fromMs,
      toMs,
      bucket: "ALL",
      groupBy: "CLIENT_KEY",
    });
    return new Map(rows.map((row) => [row.group, row]));
  }
}

function failsOften(hour: UsageRow | undefined): boolean {
  return hour !== undefined && hour.calls >= ERROR_RATE_CALLS_MIN && hour.errors * 2 > hour.calls;
}
