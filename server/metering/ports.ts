import type { CallRecord } from "../core/call.js";
import type { FinishedCall } from "../core/finished-call.js";
import type { Page, PageQuery } from "../core/page.js";
import type { UsageQuery, UsageRow } from "../core/usage.js";

/** Calls that go into the database together, in whatever form it wants them; their records need not be kept. */
export interface LedgerBatch {
  /** Calls in it. */
  readonly size: number;
  /** Takes a call; not once it has been appended or tried to be. Never throws. */
  add(record: FinishedCall): void;
  /**
   * As `appendCalls`, but all or nothing: throws when one of the calls is there already or has lost its client key.
   * It may be tried again.
   */
  append(position: JournalPosition): Promise<number>;
}

/** Where finished calls end up; the storage implements it. */
export interface LedgerStore {
  /**
   * Writes calls, their roll-ups, what they make known of batches, and the journal position in one transaction. A call
   * whose id is there already changes nothing, so a replay is harmless. Returns how many were new.
   */
  appendCalls(calls: readonly FinishedCall[], position: JournalPosition): Promise<number>;
  newBatch(): LedgerBatch;
  /** The position up to which the journal is in the database; undefined at the first start. */
  journalPosition(): Promise<JournalPosition | undefined>;
  getCall(id: string): Promise<CallRecord | undefined>;
  listCalls(query: PageQuery): Promise<Page<CallRecord>>;
  /** One row per bucket and group, from the roll-ups. */
  usage(query: UsageQuery): Promise<readonly UsageRow[]>;
  /** How many client keys, provider keys and owners had calls. */
  countActive(query: Omit<UsageQuery, "bucket" | "stepMs" | "groupBy">): Promise<ActiveNames>;
  /** Deletes calls older than `beforeMs` in batches; returns how many went. Roll-ups stay. */
  pruneCalls(beforeMs: number, batchSize: number): Promise<number>;
}

/** How many of each had calls. */
export interface ActiveNames {
  readonly clientKeys: number;
  readonly providerKeys: number;
  readonly owners: number;
}

export interface JournalPosition {
  /** Number of the journal file. */
  readonly file: number;
  /** Bytes from its start. */
  readonly offset: number;
}
