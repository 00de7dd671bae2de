import type { CallRecord, TokenUsage } from "../core/call.js";
import type { Logger } from "../core/logger.js";
import type { RouteTarget } from "../core/provider.js";
import type { BegunCall } from "./begun-call.js";
import { costOf, soundTokens } from "./cost.js";
import type { Journal } from "./journal.js";
import type { LiveCalls } from "./live-calls.js";
import type { Meter } from "./meter.js";
import type { JournalPosition } from "./ports.js";
import type { Recorder } from "./recorder.js";

/** What happens while the journal cannot be written: calls are refused, or served and kept in memory alone. */
export type AccountingPolicy = "strict" | "besteffort";

/** RELAXED: on the disk within milliseconds. STRICT: before the caller has the last byte. */
export type CallDurability = "RELAXED" | "STRICT";

/** Calls that go from memory to a journal that works again with each call that finishes. */
const REJOURNALED_AT_ONCE_MAX = 50;

export interface CallSinkOptions {
  readonly journal: Journal;
  readonly recorder: Recorder;
  readonly meter: Meter;
  readonly liveCalls: LiveCalls;
  /** Asked anew for each call, so that a changed policy holds from the next one on. */
  readonly policy: () => AccountingPolicy;
  /** When a record is safe enough for the caller to have its last byte; asked anew for each call. */
  readonly durability: () => CallDurability;
  readonly logger: Logger;
  /** Hears each finished call once; must be quick and not throw. */
  readonly onFinished?: ((record: CallRecord) => void) | undefined;
}

/** Takes calls from the gateway: into the journal first, then to the recorder, the meter and the watchers. */
export class LedgerCallSink {
  readonly #options: CallSinkOptions;
  #unsoundUsages = 0;

  constructor(options: CallSinkOptions) {
    this.#options = options;
  }

  /** Calls that have begun and not finished. */
  get inflight(): number {
    return this.#options.journal.openCalls;
  }

  /** Calls whose provider gave token numbers that cannot be, such as negative ones. */
  get unsoundUsages(): number {
    return this.#unsoundUsages;
  }

  /**
   * Called when a call was admitted. Under the strict policy throws Fault `storage_unavailable` when the
   * journal cannot be written, so that nothing is asked of a provider that could not be accounted for.
   */
  begin(call: BegunCall): void {
    const { journal, policy, meter } = this.#options;
    try {
      journal.begin(call);
    } catch (error) {
      if (policy() === "strict") throw error;
      journal.remember(call);
    }
    meter.setInflight(journal.openCalls);
  }

  /**
   * Called before the last byte goes to the caller; on return the record survives the death of this process.
   * Where durability is strict, what comes back resolves when it survives a power cut as well, and rejects
   * with Fault `storage_unavailable`. Under the strict policy throws that fault when the journal cannot be
   * written.
   */
  finish(record: CallRecord): Promise<void> | undefined {
    const { journal, durability } = this.#options;
    const position = this.#finish(record);
    if (position === undefined || durability() === "RELAXED") return undefined;
    return journal.synced(position);
  }

  /** Price of a usage in micro-US-dollars; null when the model has no price. */
  cost(target: RouteTarget, tokens: TokenUsage): number | null {
    return costOf(target.price, tokens);
  }

  /** Counts a refusal before any client key was known, by its reason. */
  refused(reason: string): void {
    this.#options.meter.refused(reason);
  }

  #finish(given: CallRecord): JournalPosition | undefined {
    const { journal, recorder, meter, liveCalls, policy } = this.#options;
    const record = this.#sound(given);
    meter.add(record);
    liveCalls.publish(record);
    this.#options.onFinished?.(record);
    try {
      const position = journal.finish(record);
      meter.setInflight(journal.openCalls);
      recorder.offer(record, position);
      if (recorder.hasUnjournaled) this.#rejournal(REJOURNALED_AT_ONCE_MAX);
      return position;
    } catch (error) {
      meter.setInflight(journal.openCalls);
      // The provider has billed the call whatever the policy says, so it is kept as long as memory allows.
      recorder.offerUnjournaled(record);
      if (policy() === "strict") throw error;
      return undefined;
    }
  }

  /** Writes calls that wait in memory alone to the journal, as far as it takes them. */
  rejournalAll(): void {
    this.#rejournal(Number.POSITIVE_INFINITY);
  }

  #rejournal(max: number): void {
    const { journal, recorder } = this.#options;
    try {
      recorder.rejournal((record) => journal.finish(record), max);
    } catch {
      // The journal has logged that it cannot be written; they wait on.
    }
  }

  #sound(record: CallRecord): CallRecord {
    const tokens = soundTokens(record.tokens);
    if (tokens === record.tokens) return record;
    this.#unsoundUsages += 1;
    const { id, providerId } = record;
    this.#options.logger.warn({ callId: id, providerId }, "the provider's token numbers cannot be");
    return { ...record, tokens };
  }
}
