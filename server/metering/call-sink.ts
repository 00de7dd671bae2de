import type { CallEntry, CallRecord, ImageToolUse, TokenUsage } from "../core/call.js";
import type { Logger } from "../core/logger.js";
import type { Price, RouteTarget } from "../core/provider.js";
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

/** With each call that finishes, so many that waited in memory go to a journal that works again. */
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
  /** The price of a model whose images are made inside of responses; absent where none has one. */
  readonly imageModelPrice?: ((model: string) => Price | null) | undefined;
  /** Hears each finished call once, before whoever waits for its record; must be quick and not throw. */
  readonly onFinished?: ((record: CallRecord) => void) | undefined;
}

/** A call that has finished and is not counted yet. */
interface Uncounted {
  readonly record: CallRecord;
  /** Where it ends in the journal; undefined when that did not take it. */
  readonly end: JournalPosition | undefined;
}

/** Takes calls from the gateway: into the journal first, then to the recorder, the meter and the watchers. */
export class LedgerCallSink {
  readonly #options: CallSinkOptions;
  #uncounted: Uncounted[] = [];
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
   * Puts on record, in this order, what begins and ends; on return it survives the death of this process. Under
   * the strict policy throws Fault `storage_unavailable` when the journal cannot be written, so that nothing is
   * asked of a provider that could not be accounted for. Where durability is strict, answers a promise, which resolves
   * when the finished calls survive a power cut as well, and rejects with that fault.
   */
  write(given: readonly CallEntry[]): Promise<void> | undefined {
    const { journal, durability } = this.#options;
    const entries = given.map((entry) => this.#heard(entry));
    let ends: readonly JournalPosition[] = [];
    try {
      ends = journal.append(entries);
    } catch (error) {
      this.#notWritten(entries, error);
    } finally {
      this.#written(entries, ends);
    }
    const end = ends.length === 0 ? undefined : ends[ends.length - 1];
    return end === undefined || durability() === "RELAXED" ? undefined : journal.synced(end);
  }

  /**
   * Counts what was written and brings it on its way to the database and to watchers, in order. Apart from `write`,
   * because nobody who waits for a record need wait for this; it has to follow before anything else of the program
   * gets its turn.
   */
  count(): void {
    const { journal, recorder, meter } = this.#options;
    const uncounted = this.#uncounted;
    let journaled = false;
    if (uncounted.length > 0) this.#uncounted = [];
    for (const { record, end } of uncounted) {
      journaled ||= end !== undefined;
      this.#count(record, end);
    }
    meter.setInflight(journal.openCalls);
    if (journaled && recorder.hasUnjournaled) this.#rejournal(REJOURNALED_AT_ONCE_MAX);
  }

  /** Price of a usage in micro-US-dollars; null when the model has no price. */
  cost(target: Pick<RouteTarget, "price">, tokens: TokenUsage): number | null {
    const cost = costOf(target.price, tokens);
    const imageTool = tokens.parts?.imageTool;
    if (imageTool === undefined || cost === null) return cost;
    const ofTool = this.#imageToolCost(imageTool);
    return ofTool === null ? null : cost + ofTool;
  }

  /** Of several models that of the dearest. */
  #imageToolCost({ models, tokens }: ImageToolUse): number | null {
    const { imageModelPrice } = this.#options;
    const costs = models.flatMap((model) => costOf(imageModelPrice?.(model) ?? null, tokens) ?? []);
    return costs.length === 0 ? null : Math.max(...costs);
  }

  /** Counts a refusal before any client key was known, by its reason. */
  refused(reason: string): void {
    this.#options.meter.refused(reason);
  }

  /** Each finished call is to be counted; `ends` has their places, or none when the journal did not take them. */
  #written(entries: readonly CallEntry[], ends: readonly JournalPosition[]): void {
    let at = 0;
    for (const entry of entries) {
      if (entry.kind !== "FINISHED") continue;
      const end = at < ends.length ? ends[at] : undefined;
      this.#uncounted.push({ record: entry.record, end });
      at += 1;
    }
  }

  /** Counts a finished call, whatever becomes of its record. A bug in counting one call harms no other call. */
  #count(record: CallRecord, end: JournalPosition | undefined): void {
    const { recorder, meter, liveCalls, logger } = this.#options;
    try {
      if (end !== undefined) recorder.offer(record, end);
      meter.add(record);
      liveCalls.publish(record);
    } catch (error) {
      logger.error({ callId: record.id, err: error }, "a finished call was not counted");
    }
  }

  #heard(entry: CallEntry): CallEntry {
    if (entry.kind === "BEGUN") return entry;
    const record = this.#sound(entry.record);
    this.#options.onFinished?.(record);
    return record === entry.record ? entry : { kind: "FINISHED", record };
  }

  /** The provider has billed finished calls whatever the policy says, so they are kept as long as memory allows. */
  #notWritten(entries: readonly CallEntry[], error: unknown): void {
    const { journal, recorder, policy } = this.#options;
    for (const entry of entries) {
      if (entry.kind === "FINISHED") recorder.offerUnjournaled(entry.record);
    }
    if (policy() !== "strict") return;
    journal.forget(entries);
    throw error;
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

  /** The record with tokens that can be true; logs when it had others. */
  #sound(record: CallRecord): CallRecord {
    const tokens = soundTokens(record.tokens);
    if (tokens === record.tokens) return record;
    this.#unsoundUsages += 1;
    const { id, providerId } = record;
    this.#options.logger.warn({ callId: id, providerId }, "the provider's token numbers cannot be");
    return { ...record, tokens };
  }
}
