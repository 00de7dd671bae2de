import type { ClientKeyFacts } from "../control/ports.js";
import type { Clock } from "../core/clock.js";
import { DAY_MS, HOUR_MS } from "../core/durations.js";
import type { Logger } from "../core/logger.js";
import { ALL_USAGE, type UsageRow } from "../core/usage.js";
import type { LedgerStore } from "../metering/ports.js";

/** From so many calls of the last hour on, more failures than successes are worth a look. */
const ERROR_RATE_CALLS_MIN = 20;
/** Figures older than this are read again when they are asked for; dashboards ask every few seconds. */
const FRESH_MS = 5_000;
const NO_CALLS = { calls24h: 0 };

/**
 * For listings: the calls of the last 24 hours by client key, and which keys fail more often than not. Read from the
 * roll-ups for all keys at once, and only when asked for.
 */
export class DayFigures implements ClientKeyFacts {
  readonly #ledger: Pick<LedgerStore, "usage">;
  readonly #clock: Clock;
  readonly #logger: Logger;
  /** By client key; whoever is not among them made no calls. Undefined when they could not be read. */
  #day: ReadonlyMap<string, UsageRow> | undefined;
  #hour: ReadonlyMap<string, UsageRow> = new Map();
  #readAtMs = -Infinity;
  #reading: Promise<void> | undefined;

  constructor(options: { ledger: Pick<LedgerStore, "usage">; clock: Clock; logger: Logger }) {
    this.#ledger = options.ledger;
    this.#clock = options.clock;
    this.#logger = options.logger;
  }

  fresh(): Promise<void> {
    if (this.#clock.monotonic() - this.#readAtMs <= FRESH_MS) return Promise.resolve();
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  figuresOf({ id }: { readonly id: string }): ReturnType<ClientKeyFacts["figuresOf"]> {
    const day = this.#day;
    if (day === undefined) return {};
    const row = day.get(id);
    if (row === undefined || row.calls === 0) return NO_CALLS;
    return {
      calls24h: row.calls,
      successRatio24h: (row.calls - row.errors) / row.calls,
      highErrorRate: failsOften(this.#hour.get(id)),
    };
  }

  async #read(): Promise<void> {
    const nowMs = this.#clock.now();
    try {
      this.#day = await this.#usageSince(nowMs - DAY_MS, nowMs);
      this.#hour = await this.#usageSince(nowMs - HOUR_MS, nowMs);
    } catch (error) {
      this.#day = undefined;
      this.#logger.warn({ err: error }, "the figures of the last day could not be read");
    } finally {
      this.#readAtMs = this.#clock.monotonic();
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
