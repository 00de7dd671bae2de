import type { Batch, OpenBatch } from "../core/batch.js";
import type { CallRecord, Estimate } from "../core/call.js";
import { CautiousTime } from "../core/cautious-time.js";
import type { Clock, Timer } from "../core/clock.js";
import { MINUTE_MS } from "../core/durations.js";
import { toFault } from "../core/fault.js";
import type { BatchNews } from "../core/finished-call.js";
import type { Logger } from "../core/logger.js";
import type { ProviderKey } from "../core/provider-key.js";
import type { FoundBatch, Look } from "./batch-look.js";
import { type Making, recordOfLost, recordsOf } from "./batch-records.js";
import {
  ASKED_MAX_MS,
  BATCH_AGE_MAX_MS,
  LOOKS_MAX,
  LOOK_PAUSE_MAX_MS,
  LOOK_PAUSE_MIN_MS,
  MISSES_MAX,
  RESPONSE_AGE_MAX_MS,
  RESPONSE_PAUSE_MAX_MS,
  SEEK_MAX_MS,
} from "./limits.js";

type BatchName = Pick<Batch, "scope" | "batchId">;

/** Where batches are kept until they are counted. */
export interface BatchStore {
  /** The number of its row; undefined where it was known already. */
  add(batch: Batch, lookAt: number): Promise<number | undefined>;
  /** As `add`, in the place of what it was asked for as. */
  made(batch: Batch, asked: Batch, lookAt: number): Promise<number | undefined>;
  /** Gives what was asked for the first of these names that no other batch has; false where there is none. */
  found(asked: OpenBatch, names: readonly FoundBatch[], lookAt: number): Promise<boolean>;
  /** Makes what was asked for due; answers it. */
  seek(asked: Batch, lookAt: number): Promise<OpenBatch | undefined>;
  forget(asked: Batch): Promise<void>;
  open(): Promise<readonly OpenBatch[]>;
  find(scope: string, batchId: string): Promise<OpenBatch | undefined>;
  due(nowMs: number, exceptOwners: readonly string[]): Promise<OpenBatch | undefined>;
  nextLookAt(exceptOwners: readonly string[]): Promise<number | undefined>;
  hastenAll(nowMs: number): Promise<void>;
  hasten(number: number, providerKeyId: string, nowMs: number): Promise<void>;
  putOff(number: number, lookAt: number, misses: number): Promise<void>;
  keepRecords(number: number, records: readonly CallRecord[]): Promise<void>;
  counted(number: number): Promise<void>;
  /** Of its row, whether it is counted or not. */
  numberOf(batch: BatchName): Promise<number | undefined>;
}

export interface BatchWatchOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly store: BatchStore;
  readonly nextId: () => string;
  /** Asks the provider. */
  readonly look: (batch: OpenBatch, signal: AbortSignal) => Promise<Look>;
  /** Puts on record what is not there yet; resolves when the ledger has all of it. */
  readonly record: (records: readonly CallRecord[]) => Promise<void>;
  /** Resolves when the store has what the calls on record make known. */
  readonly recorded: () => Promise<void>;
  /** Whether what a batch used is still to be counted; who has said so once does not say so again. */
  readonly take: (batch: OpenBatch) => boolean;
  /** Sets aside what a batch may use; what comes back gives it back. */
  readonly setAside: (batch: Batch) => () => void;
}

/** When the store does not answer, it is asked again after so long. */
const STORE_PAUSE_MS = 5000;
/** The pause between two looks is this part of the batch's age. */
const PAUSE_PER_AGE = 1 / 8;
/** Timers are set for no longer; the wall clock may be set meanwhile. */
const SLEEP_MAX_MS = 10 * 60_000;

/**
 * Looks after batches from the moment they are made until what they used is on record, each once, and after single
 * responses that go on after their call: such a one counts with whoever is told of it first, a caller or this watch. All
 * that it knows is in the store, so it goes on after a restart where the last process was.
 */
export class BatchWatch {
  readonly #options: BatchWatchOptions;
  readonly #stopping = new AbortController();
  readonly #stopped: Promise<void>;
  /** Looks under way, by the number of the batch. */
  readonly #looks = new Map<number, { readonly ownerId: string; readonly done: Promise<void> }>();
  /** Nothing is given up because a clock is wrong for a while. */
  readonly #time: CautiousTime;
  /** By how much the wall clock was ahead of the monotonic one when it was last looked at. */
  #aheadMs: number;
  /** What is set aside, by the number of the batch. */
  readonly #aside = new Map<number, () => void>();
  /** Numbers of batches that nobody else counts any more, and that are not on their way to the ledger yet. */
  readonly #taken = new Set<number>();
  /** What is set aside for what goes on and is not in the store before its call, by its name. */
  readonly #unrecorded = new Map<string, () => void>();
  /** What calls make known is on its way to the store until then. */
  #noted: Promise<unknown> = Promise.resolve();
  #timer: Timer | undefined;
  #filling: Promise<void> | undefined;
  /** Something has changed since what is due was asked for. */
  #isStale = false;

  constructor(options: BatchWatchOptions) {
    this.#options = options;
    this.#time = new CautiousTime(options.clock);
    this.#aheadMs = aheadMs(options.clock);
    this.#stopped = new Promise((resolve) => {
      this.#stopping.signal.addEventListener("abort", () => {
        resolve();
      });
    });
  }

  /** Nobody knows how long the server was away, so all batches are due. */
  async start(): Promise<void> {
    const { store, clock } = this.#options;
    await store.hastenAll(clock.now());
    for (const batch of await store.open()) this.#setAside(batch.number, batch);
    this.#wake();
  }

  /** Looks that are under way end without an outcome; the next start makes up for them. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#timer?.cancel();
    await this.#filling;
    await Promise.all([...this.#looks.values()].map(({ done }) => done));
  }

  /** A provider is about to be asked for a batch; resolves when that will not be forgotten any more, as far as can be. */
  async asked(asked: Batch): Promise<void> {
    const { store, clock, logger } = this.#options;
    try {
      await store.add(asked, clock.now() + ASKED_MAX_MS);
    } catch (thrown) {
      const { providerKeyId } = asked;
      logger.error({ providerKeyId, err: thrown }, "a batch is asked for that a kill would lose");
    }
  }

  /** A call has made what goes on after it: what that may use is set aside from now on. Answers when it is looked at first. */
  goesOn(response: Batch): number {
    this.#setAsideUnrecorded(response);
    return this.#options.clock.now() + LOOK_PAUSE_MIN_MS;
  }

  /** What a call makes known is on record with the call, and on its way to the store. */
  async recorded(news: BatchNews): Promise<void> {
    const noted = this.#note(news);
    this.#noted = Promise.allSettled([this.#noted, noted]);
    await noted;
  }

  async #note(news: BatchNews): Promise<void> {
    const { store, recorded } = this.#options;
    if (news.kind === "TOLD") {
      await recorded();
      const number = await store.numberOf(news);
      if (number !== undefined) this.#giveBack({ number });
      return;
    }
    const { batch } = news;
    try {
      await recorded();
      const row = await store.find(batch.scope, batch.batchId);
      this.#setAside(row?.number, batch);
    } finally {
      this.#giveBackUnrecorded(batch);
      this.#wake();
    }
  }

  #setAsideUnrecorded(batch: Batch): void {
    if (isNothing(batch.reserved)) return;
    this.#giveBackUnrecorded(batch);
    this.#unrecorded.set(nameOf(batch), this.#options.setAside(batch));
  }

  #giveBackUnrecorded(batch: BatchName): void {
    const name = nameOf(batch);
    this.#unrecorded.get(name)?.();
    this.#unrecorded.delete(name);
  }

  /** What was asked for was made; resolves when that will not be forgotten any more, as far as can be before its call ends. */
  async made(batch: Batch, asked: Batch): Promise<void> {
    const { store, clock, logger } = this.#options;
    const lookAt = clock.now() + LOOK_PAUSE_MIN_MS;
    try {
      this.#setAside(await store.made(batch, asked, lookAt), batch);
    } catch (thrown) {
      logger.error({ batchId: batch.batchId, err: thrown }, "a batch is known from its call alone");
      this.#setAsideUnrecorded(batch);
    }
    this.#wake();
  }

  /** No reply tells of what was asked for: it surely was not made, or its provider's list will tell. */
  async unmade(asked: Batch, isSure: boolean): Promise<void> {
    const { store, clock } = this.#options;
    if (isSure) {
      await store.forget(asked);
      return;
    }
    const batch = await store.seek(asked, clock.now());
    if (batch === undefined) return;
    this.#setAside(batch.number, batch);
    this.#wake();
  }

  /** Somebody was shown, with a provider key, that a batch has ended. Another provider's batch of that name is another. */
  async ended(
    scope: string,
    batchId: string,
    { id, providerId }: Pick<ProviderKey, "id" | "providerId">,
  ): Promise<void> {
    const { store, clock } = this.#options;
    const batch = await store.find(scope, batchId);
    if (batch?.providerId !== providerId) return;
    await store.hasten(batch.number, id, clock.now());
    this.#wake();
  }

  /** Looks at a batch that is about to be removed, if that is still to be counted. */
  async beforeRemoval(scope: string, batchId: string): Promise<void> {
    await this.#noted;
    const batch = await this.#options.store.find(scope, batchId);
    if (batch !== undefined) await this.#lookAt(batch);
  }

  #setAside(number: number | undefined, batch: Batch): void {
    if (number === undefined || isNothing(batch.reserved)) return;
    if (this.#aside.has(number)) return;
    this.#aside.set(number, this.#options.setAside(batch));
  }

  #wake(): void {
    this.#isStale = true;
    if (this.#stopping.signal.aborted) return;
    this.#filling ??= this.#fill().finally(() => {
      this.#filling = undefined;
      if (this.#isStale) this.#wake();
    });
  }

  /** Begins as many looks as may be, and sets the timer for the next. */
  async #fill(): Promise<void> {
    const { store, clock, logger } = this.#options;
    this.#isStale = false;
    this.#timer?.cancel();
    try {
      if (this.#wasSetBack()) await store.hastenAll(clock.now());
      let batch: OpenBatch | undefined;
      do {
        batch = undefined;
        if (this.#looks.size < LOOKS_MAX && !this.#stopping.signal.aborted) {
          // eslint-disable-next-line no-await-in-loop -- each depends on whom the one before is of
          batch = await store.due(clock.now(), this.#busyOwners());
          if (batch !== undefined) void this.#lookAt(batch);
        }
      } while (batch !== undefined);
      if (this.#looks.size < LOOKS_MAX) {
        this.#sleepUntil(await store.nextLookAt(this.#busyOwners()));
      }
    } catch (thrown) {
      logger.warn({ err: thrown }, "batches that are to be counted could not be read");
      this.#sleepUntil(clock.now() + STORE_PAUSE_MS);
    }
  }

  /** Then what is to be looked at in an hour of the clock's may be due in a year of ours. */
  #wasSetBack(): boolean {
    const before = this.#aheadMs;
    this.#aheadMs = aheadMs(this.#options.clock);
    return this.#aheadMs < before - MINUTE_MS;
  }

  #busyOwners(): readonly string[] {
    return [...this.#looks.values()].map(({ ownerId }) => ownerId);
  }

  #sleepUntil(lookAt: number | undefined): void {
    if (lookAt === undefined || this.#stopping.signal.aborted) return;
    const { clock } = this.#options;
    const sleepMs = Math.min(Math.max(0, lookAt - clock.now()), SLEEP_MAX_MS);
    this.#timer = clock.setTimer(() => {
      this.#wake();
    }, sleepMs);
  }

  /** One look at a time for each batch; never rejects. */
  #lookAt(batch: OpenBatch): Promise<void> {
    const { number, ownerId } = batch;
    const known = this.#looks.get(number);
    if (known !== undefined) return known.done;
    const done = this.#look(batch).finally(() => {
      this.#looks.delete(number);
      this.#wake();
    });
    this.#looks.set(number, { ownerId, done });
    return done;
  }

  async #look(batch: OpenBatch): Promise<void> {
    const { logger } = this.#options;
    const { batchId, providerKeyId } = batch;
    try {
      const records = batch.records ?? (await this.#recordsOf(batch));
      if (records !== undefined) await this.#count(batch, records);
    } catch (thrown) {
      if (this.#stopping.signal.aborted) return;
      logger.warn({ batchId, providerKeyId, err: thrown }, "a batch could not be counted yet");
      await this.#putOff(batch, batch.misses).catch(() => this.#pause());
    }
  }

  async #count(batch: OpenBatch, records: readonly CallRecord[]): Promise<void> {
    const { store, record, logger } = this.#options;
    // A database that is away must not keep the server from stopping.
    await Promise.race([record(records), this.#stopped]);
    if (this.#stopping.signal.aborted) return;
    await store.counted(batch.number);
    this.#giveBack(batch);
    const calls = records.map(({ id }) => id);
    logger.info({ batchId: batch.batchId, calls }, "what a batch used is on record");
  }

  #giveBack({ number }: Pick<OpenBatch, "number">): void {
    this.#aside.get(number)?.();
    this.#aside.delete(number);
  }

  /** What was asked for is in its provider's list, or it is not. */
  async #sought(batch: OpenBatch, names: readonly FoundBatch[]): Promise<void> {
    const { store, clock, logger } = this.#options;
    const { providerKeyId } = batch;
    const nowMs = clock.now();
    if (await store.found(batch, names, nowMs)) {
      logger.info({ providerKeyId }, "a batch was made whose reply did not come");
    } else if (this.#time.now() >= batch.madeAt + SEEK_MAX_MS) {
      await store.forget(batch);
      this.#giveBack(batch);
      logger.info({ providerKeyId }, "a batch that was asked for was not made");
    } else await this.#putOff(batch, 0);
  }

  /** What is to be put on record, kept in the store; undefined where that is not known yet. */
  async #recordsOf(batch: OpenBatch): Promise<readonly CallRecord[] | undefined> {
    const { store, clock, nextId } = this.#options;
    const look = await this.#outcome(batch);
    if (this.#stopping.signal.aborted) return undefined;
    if (look.kind === "SOUGHT") {
      await this.#sought(batch, look.names);
      return undefined;
    }
    const misses = missesOf(batch, look);
    const nowMs = clock.now();
    const isTooOld = this.#time.now() >= batch.madeAt + ageMaxMs(batch);
    const isLast = misses >= MISSES_MAX || isTooOld;
    if (look.kind !== "ENDED" && !isLast) {
      await this.#putOff(batch, misses);
      return undefined;
    }
    if (!this.#take(batch)) return [];
    const records = recordsAfter(batch, look, { nextId, nowMs });
    if (records.length > 0) await store.keepRecords(batch.number, records);
    this.#taken.delete(batch.number);
    return records;
  }

  /** Remembered for as long as the store does not know: a step that fails is taken again. */
  #take(batch: OpenBatch): boolean {
    if (this.#taken.has(batch.number)) return true;
    const isOurs = this.#options.take(batch);
    if (isOurs) this.#taken.add(batch.number);
    return isOurs;
  }

  async #outcome(batch: OpenBatch): Promise<Look> {
    const { look, logger } = this.#options;
    let found: Look;
    try {
      found = await look(batch, this.#stopping.signal);
    } catch (thrown) {
      found = { kind: "FAILED", problem: toFault(thrown).publicMessage };
    }
    if ("problem" in found && !this.#stopping.signal.aborted) {
      const { batchId, providerKeyId } = batch;
      const { problem } = found;
      logger.warn({ batchId, providerKeyId, problem }, "a look at a batch came to nothing");
    }
    return found;
  }

  async #putOff(batch: OpenBatch, misses: number): Promise<void> {
    const { store, clock } = this.#options;
    const nowMs = clock.now();
    const pauseMs = (nowMs - batch.madeAt) * PAUSE_PER_AGE;
    const mostMs = batch.later === undefined ? LOOK_PAUSE_MAX_MS : RESPONSE_PAUSE_MAX_MS;
    const bounded = Math.round(Math.min(Math.max(pauseMs, LOOK_PAUSE_MIN_MS), mostMs));
    await store.putOff(batch.number, nowMs + bounded, misses);
  }

  /** Where the store takes nothing, it would be asked for the same batch at once. */
  async #pause(): Promise<void> {
    let timer: Timer | undefined;
    const pause = new Promise<void>((resolve) => {
      timer = this.#options.clock.setTimer(resolve, STORE_PAUSE_MS);
    });
    await Promise.race([pause, this.#stopped]);
    timer?.cancel();
  }
}

function nameOf({ scope, batchId }: BatchName): string {
  return `${scope} ${batchId}`;
}

function ageMaxMs({ later }: Batch): number {
  return later === undefined ? BATCH_AGE_MAX_MS : RESPONSE_AGE_MAX_MS;
}

function isNothing({ inputTokens, maxOutputTokens }: Estimate): boolean {
  return inputTokens + maxOutputTokens === 0;
}

function aheadMs(clock: Clock): number {
  return clock.now() - clock.monotonic();
}

/** Looks in a row that found something gone; one that learnt nothing is none of them, and ends no row. */
function missesOf({ misses }: OpenBatch, { kind }: Look): number {
  if (kind === "FAILED") return misses;
  return kind === "MISSED" ? misses + 1 : 0;
}

/** A response of which a part was counted with its call counts no more where the rest cannot be learnt. */
function recordsAfter(batch: OpenBatch, look: Look, making: Making): readonly CallRecord[] {
  if ("use" in look && look.use !== undefined) return recordsOf(batch, look.use, making);
  if (batch.later !== undefined && isNothing(batch.reserved)) return [];
  const problem = "problem" in look ? look.problem : "it has not ended";
  return [recordOfLost(batch, problem, making)];
}
