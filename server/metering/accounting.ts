import type { CallRecord } from "../core/call.js";
import type { Clock } from "../core/clock.js";
import type { Logger } from "../core/logger.js";
import type { Price } from "../core/provider.js";
import { recordOfOrphan } from "./orphan.js";
import { LedgerCallSink, type AccountingPolicy, type CallDurability } from "./call-sink.js";
import { openJournal, type Journal, type JournalStats } from "./journal.js";
import type { JournalDisk } from "./journal-disk.js";
import { LiveCalls } from "./live-calls.js";
import { LiveOverview } from "./live-overview.js";
import type { Dimension } from "./group-events.js";
import { Meter } from "./meter.js";
import { OwnerOverviews } from "./owner-overviews.js";
import type { LedgerStore } from "./ports.js";
import { Recorder, type RecorderStats } from "./recorder.js";
import type { PoolSummary } from "./snapshot.js";
import { buildSnapshot } from "./snapshot-builder.js";
import { seedSpend, seedSpendAgain } from "./seed-spend.js";

export interface AccountingOptions {
  readonly ledger: LedgerStore;
  readonly disk: JournalDisk;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Asked anew for each call. */
  readonly policy: () => AccountingPolicy;
  readonly durability: () => CallDurability;
  readonly poolSummary: () => PoolSummary;
  /** The same of one owner's keys alone. */
  readonly ownPoolSummary: (ownerId: string) => PoolSummary;
  /** A name to show for an id in rankings; undefined shows the id. */
  readonly nameOf: (dimension: Dimension, id: string) => string | undefined;
  /** As `CallSinkOptions.imageModelPrice`. */
  readonly imageModelPrice?: (model: string) => Price | null;
  readonly journalFileBytes?: number;
  readonly syncIntervalMs?: number;
  /** Hears each finished call once; must be quick and not throw. */
  readonly onFinished?: ((record: CallRecord) => void) | undefined;
}

/** How the accounting is doing, for /metrics, /readyz and the status screen. */
export interface AccountingStatus {
  readonly journal: JournalStats;
  readonly recorder: RecorderStats;
  readonly unsoundUsages: number;
}

/** Everything that counts calls, wired together. */
export class Accounting {
  readonly meter: Meter;
  readonly sink: LedgerCallSink;
  readonly overview: LiveOverview;
  /** Overviews of single owners, for those who see their own things only. */
  readonly ownerOverviews: OwnerOverviews;
  readonly liveCalls: LiveCalls;
  readonly #journal: Journal;
  readonly #recorder: Recorder;
  readonly #logger: Logger;

  constructor(options: AccountingOptions, journal: Journal, recorder: Recorder) {
    const { ledger, clock, logger, policy, durability, poolSummary, nameOf, onFinished } = options;
    this.#journal = journal;
    this.#recorder = recorder;
    this.#logger = logger;
    const caughtUp = () => recorder.caughtUp();
    const meter = new Meter({
      clock,
      onUnknownSpend: () => void seedSpendAgain(meter, { ledger, clock, logger, caughtUp }),
    });
    this.meter = meter;
    this.liveCalls = new LiveCalls({ clock });
    const ownerOverviews = new OwnerOverviews({
      clock,
      ledger,
      logger,
      caughtUp,
      nameOf,
      poolSummary: options.ownPoolSummary,
      inflight: (ownerId) => journal.openCallsOf(ownerId),
    });
    this.ownerOverviews = ownerOverviews;
    this.sink = new LedgerCallSink({
      journal,
      recorder,
      meter,
      liveCalls: this.liveCalls,
      policy,
      durability,
      logger,
      imageModelPrice: options.imageModelPrice,
      onFinished(record) {
        ownerOverviews.add(record);
        onFinished?.(record);
      },
    });
    this.overview = new LiveOverview({
      clock,
      build: (tick) => buildSnapshot({ meter, clock, poolSummary, nameOf }, tick),
    });
  }

  get status(): AccountingStatus {
    return {
      journal: this.#journal.stats,
      recorder: this.#recorder.stats,
      unsoundUsages: this.sink.unsoundUsages,
    };
  }

  /** Resolves when the database has everything that is in the journal now. */
  caughtUp(): Promise<void> {
    // What was written in this turn of the event loop may not be on its way yet.
    this.sink.count();
    return this.#recorder.caughtUp();
  }

  /** Ends the watchers, brings what is left into the database and closes the journal. False when the database did not take all. */
  async close(): Promise<boolean> {
    this.overview.close();
    this.ownerOverviews.close();
    this.liveCalls.close();
    const all = await this.#recorder.close();
    this.sink.rejournalAll();
    const lost = this.#recorder.giveUp();
    if (lost > 0) this.#logger.error({ calls: lost }, "calls are lost: no disk and no database");
    await this.#journal.close();
    return all;
  }
}

/**
 * Opens the journal, writes the records of calls that an earlier process left unfinished, brings the rest of the journal
 * into the database and begins counting. The database is complete then, unless the log says that it did not take the
 * rest at once. Throws Fault `data_folder_unusable`, `database_newer` or what the ledger throws.
 */
export async function openAccounting(options: AccountingOptions): Promise<Accounting> {
  const { ledger, disk, clock, logger, journalFileBytes, syncIntervalMs } = options;
  const from = await ledger.journalPosition();
  const { journal, recovered } = await openJournal(
    {
      disk,
      clock,
      logger,
      ...(journalFileBytes === undefined ? {} : { fileBytes: journalFileBytes }),
      ...(syncIntervalMs === undefined ? {} : { syncIntervalMs }),
    },
    from,
  );
  const recorder = new Recorder({ ledger, journal, clock, logger, from });
  for (const call of recovered.orphans) {
    const record = recordOfOrphan(call);
    try {
      journal.finish(record);
    } catch {
      // Their begins stay in the old file until the database has them.
      recorder.offerUnjournaled(record);
    }
  }
  if (recovered.orphans.length > 0) {
    logger.warn(
      { calls: recovered.orphans.length },
      "calls were running when the server last died",
    );
  }
  if (!(await recorder.start())) {
    logger.warn(
      { stats: recorder.stats },
      "the database lacks calls of the last run; trying again",
    );
  }
  const accounting = new Accounting(options, journal, recorder);
  await seedSpend(accounting.meter, ledger, clock.now());
  return accounting;
}
