import type { CallRecord } from "../core/call.js";
import type { Clock, Timer } from "../core/clock.js";
import type { Logger } from "../core/logger.js";
import { BatchWriter, type Piece } from "./batch-writer.js";
import type { Journal } from "./journal.js";
import { comparePositions } from "./journal-position.js";
import type { JournalPosition, LedgerStore } from "./ports.js";

/**
 * Calls in one transaction of the database. A call in a batch of thousands costs half of what it does in one of
 * hundreds, which touches as many pages. A batch of this size, of a busy half second, keeps others from the writer for
 * a tenth of a second.
 */
export const BATCH_CALLS_MAX = 8000;
/** Longest time that a call waits for its batch to fill. In a small batch each call costs several times as much. */
export const BATCH_INTERVAL_MS = 500;
/** Batches kept in memory for the database; further calls are read back from the journal. */
const PENDING_BATCHES_MAX = 3;
export const PENDING_CALLS_MAX = PENDING_BATCHES_MAX * BATCH_CALLS_MAX;
/** Calls kept that the journal could not take; further ones are lost. */
export const UNJOURNALED_CALLS_MAX = 10_000;
const BACK_OFF_MIN_MS = 100;
const BACK_OFF_MAX_MS = 5000;
/** How long `close` tries to bring the rest into the database. */
const CLOSE_TIMEOUT_MS = 10_000;
const CLOSE_TRIES = 3;

export interface RecorderOptions {
  readonly ledger: Pick<LedgerStore, "appendCalls" | "newBatch">;
  readonly journal: Pick<Journal, "read" | "end" | "release">;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Up to where the database has the journal; undefined reads it from its start. */
  readonly from: JournalPosition | undefined;
}

/** A piece that still grows. */
type GrowingPiece = { -readonly [K in keyof Piece]: Piece[K] };

/** A piece that was read from the journal. */
interface ReadPiece extends Piece {
  /** Calls of this process in it; those of an earlier one are not owed by this one. */
  readonly ownCalls: number;
}

export interface RecorderStats {
  /** Calls of this process that the database does not have yet, wherever they wait. */
  readonly lagCalls: number;
  /** For how long the database has lacked something, in milliseconds; 0 when it has everything. */
  readonly lagMs: number;
  /** Calls in memory that the database does not have yet. */
  readonly pendingCalls: number;
  /** True while calls are read back from the journal because memory is full or after a start. */
  readonly behind: boolean;
  readonly unjournaledCalls: number;
  /** Calls that neither the journal nor the memory could take. */
  readonly lostCalls: number;
  /** Calls that the database has refused for good; each is in the log. */
  readonly refusedCalls: number;
  readonly recordedCalls: number;
  readonly committed: JournalPosition;
  /** Failed tries since the last success. */
  readonly failedTries: number;
}

/**
 * Brings finished calls from the journal into the database, in batches, each together with the place in
 * the journal behind it. While the database is locked, full or away it tries again with growing pauses;
 * memory stays bounded because the journal has everything.
 */
export class Recorder {
  readonly #options: RecorderOptions;
  readonly #writer: BatchWriter;
  /** Calls that came while the database kept up, in full pieces, and in one that takes the next ones. */
  #full: Piece[] = [];
  #filling: GrowingPiece | undefined;
  #unjournaled: CallRecord[] = [];
  #behind = true;
  /** Where the last call that the database has ends in the journal. */
  #committed: JournalPosition;
  #timer: Timer | undefined;
  #pumping: Promise<void> | undefined;
  #retrying = false;
  #failedTries = 0;
  #lostCalls = 0;
  #draining = false;
  #closed = false;
  /** Journaled calls of this process that the database lacks. */
  #owedCalls = 0;
  /** When the database last had everything, monotonic. */
  #wholeAtMs: number;
  readonly #firstFile: number;
  /** The next piece of the journal, which is read while the database takes in the one before. */
  #ahead: { readonly from: JournalPosition; readonly piece: Promise<ReadPiece> } | undefined;
  #waiters: { readonly target: JournalPosition; readonly resolve: () => void }[] = [];

  constructor(options: RecorderOptions) {
    this.#options = options;
    this.#writer = new BatchWriter(options);
    this.#committed = options.from ?? { file: 0, offset: 0 };
    this.#wholeAtMs = options.clock.monotonic();
    this.#firstFile = options.journal.end.file;
  }

  get stats(): RecorderStats {
    return {
      lagCalls: this.#owedCalls + this.#unjournaled.length,
      lagMs: this.#lagMs(),
      pendingCalls: this.#pendingCalls,
      behind: this.#behind,
      unjournaledCalls: this.#unjournaled.length,
      lostCalls: this.#lostCalls,
      refusedCalls: this.#writer.refusedCalls,
      recordedCalls: this.#writer.recordedCalls,
      committed: this.#committed,
      failedTries: this.#failedTries,
    };
  }

  /**
   * Brings what an earlier run left in the journal into the database. False when the database did not take
   * it all at the first try; the recorder then goes on trying.
   */
  async start(): Promise<boolean> {
    this.#wake();
    await this.#pumping;
    return !this.#hasWork();
  }

  /** Takes a call that is in the journal up to `position`. Constant time, never fails. */
  offer(record: CallRecord, position: JournalPosition): void {
    if (this.#owedCalls === 0 && !this.#hasWork()) {
      this.#wholeAtMs = this.#options.clock.monotonic();
    }
    this.#owedCalls += 1;
    // While behind, the reader will come to this call by itself.
    if (this.#behind) return;
    if (this.#filling === undefined && this.#full.length >= PENDING_BATCHES_MAX) {
      this.#behind = true;
      return;
    }
    const piece = (this.#filling ??= this.#newPiece());
    piece.batch.add(record);
    piece.end = position;
    if (piece.batch.size < BATCH_CALLS_MAX) {
      this.#sleep(BATCH_INTERVAL_MS);
      return;
    }
    this.#closeFilling();
    this.#wake();
  }

  get #pendingCalls(): number {
    const full = this.#full.reduce((sum, { batch }) => sum + batch.size, 0);
    return full + (this.#filling?.batch.size ?? 0);
  }

  #newPiece(): GrowingPiece {
    const from = this.#full.at(-1)?.end ?? this.#committed;
    return { batch: this.#options.ledger.newBatch(), from, end: from };
  }

  #closeFilling(): void {
    if (this.#filling !== undefined) this.#full.push(this.#filling);
    this.#filling = undefined;
  }

  /** Takes a call that the journal could not take; false when it is lost because too many wait already. */
  offerUnjournaled(record: CallRecord): boolean {
    if (this.#closed || this.#unjournaled.length >= UNJOURNALED_CALLS_MAX) {
      this.#lostCalls += 1;
      return false;
    }
    this.#unjournaled.push(record);
    this.#sleep(BATCH_INTERVAL_MS);
    return true;
  }

  get hasUnjournaled(): boolean {
    return this.#unjournaled.length > 0;
  }

  /**
   * Brings calls that wait in memory alone into the journal, which can be written again. Stops at the first
   * that it does not take; `max` bounds how long this takes.
   */
  rejournal(append: (record: CallRecord) => JournalPosition, max: number): void {
    for (let i = 0; i < max; i++) {
      const record = this.#unjournaled.at(-1);
      if (record === undefined) return;
      const position = append(record);
      this.#unjournaled.pop();
      this.offer(record, position);
    }
  }

  /** Counts the calls that still wait in memory alone as lost, and forgets them. Returns how many they were. */
  giveUp(): number {
    const lost = this.#unjournaled.length;
    this.#unjournaled = [];
    this.#lostCalls += lost;
    return lost;
  }

  /**
   * Resolves when the database has everything that is in the journal now; not before the database takes
   * calls again, when it is away.
   */
  caughtUp(): Promise<void> {
    if (!this.#hasWork()) return Promise.resolve();
    const target = this.#options.journal.end;
    const done = new Promise<void>((resolve) => {
      this.#waiters.push({ target, resolve });
    });
    this.#wake();
    return done;
  }

  /**
   * Brings the rest into the database and stops. False when the database did not take it: it stays in the
   * journal and is recorded after the next start.
   */
  async close(): Promise<boolean> {
    let timer: Timer | undefined;
    const timeout = new Promise<void>((resolve) => {
      timer = this.#options.clock.setTimer(resolve, CLOSE_TIMEOUT_MS);
    });
    await Promise.race([this.#drain(), timeout]);
    timer?.cancel();
    this.#closed = true;
    this.#timer?.cancel();
    this.#timer = undefined;
    return !this.#hasWork();
  }

  /** Without pauses, since a process that stops may have nothing left to keep it alive through one. */
  async #drain(): Promise<void> {
    this.#draining = true;
    for (let tries = 0; tries < CLOSE_TRIES && !this.#closed; tries++) {
      await this.#pumping;
      if (!this.#hasWork()) return;
      this.#retrying = false;
      this.#wake();
    }
    await this.#pumping;
  }

  #hasWork(): boolean {
    if (this.#pendingCalls > 0 || this.#unjournaled.length > 0) return true;
    return this.#behind && comparePositions(this.#committed, this.#options.journal.end) < 0;
  }

  #sleep(delayMs: number): void {
    if (this.#timer !== undefined || this.#pumping !== undefined || this.#closed) return;
    this.#wakeIn(delayMs);
  }

  #wakeIn(delayMs: number): void {
    this.#timer = this.#options.clock.setTimer(() => {
      this.#timer = undefined;
      this.#retrying = false;
      this.#wake();
    }, delayMs);
  }

  #wake(): void {
    // A pause after a failure is not cut short by new calls: the database needs it.
    if (this.#pumping !== undefined || this.#retrying || this.#closed) return;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#pumping = this.#pump().finally(() => {
      this.#pumping = undefined;
      if (this.#retrying) this.#sleep(this.#backOffMs());
      else if (this.#hasWork()) this.#sleep(BATCH_INTERVAL_MS);
      this.#settle();
    });
  }

  #settle(): void {
    if (this.#waiters.length === 0) return;
    const all = !this.#hasWork();
    const left = [];
    for (const waiter of this.#waiters) {
      const reached = comparePositions(this.#committed, waiter.target) >= 0;
      if (all || (reached && this.#unjournaled.length === 0)) waiter.resolve();
      else left.push(waiter);
    }
    this.#waiters = left;
  }

  #backOffMs(): number {
    return Math.min(BACK_OFF_MAX_MS, BACK_OFF_MIN_MS * 2 ** Math.min(this.#failedTries - 1, 10));
  }

  async #pump(): Promise<void> {
    try {
      let first = true;
      while (!this.#closed && (await this.#step(first))) {
        first = false;
        this.#settle();
      }
      this.#failedTries = 0;
    } catch (error) {
      this.#failedTries += 1;
      this.#retrying = true;
      if (this.#failedTries > 1) return;
      this.#options.logger.error(
        { err: error },
        "calls cannot be recorded; the journal keeps them",
      );
    }
  }

  /** Records one batch; false when there is none, or when another one is better left to fill. */
  async #step(first: boolean): Promise<boolean> {
    if (this.#unjournaled.length > 0) {
      const batch = this.#unjournaled.slice(0, BATCH_CALLS_MAX);
      const position = this.#committed;
      await this.#writer.writeCalls(batch.map((record) => ({ record, position })));
      this.#recorded(batch.length);
      // Some may have gone to the journal meanwhile, so the place in the list says nothing.
      const done = new Set(batch);
      this.#unjournaled = this.#unjournaled.filter((record) => !done.has(record));
      return true;
    }
    if (this.#full.length === 0 && (first || this.#isUrgent())) this.#closeFilling();
    const [piece] = this.#full;
    if (piece !== undefined) {
      await this.#record(piece);
      this.#full.shift();
      this.#settleOwed(piece.batch.size);
      await this.#commit(piece.end);
      return true;
    }
    return this.#behind && (await this.#stepFromJournal());
  }

  /** Whether calls in memory go on before their batch is full: the journal's come after them, or somebody waits. */
  #isUrgent(): boolean {
    return this.#behind || this.#draining || this.#waiters.length > 0;
  }

  async #stepFromJournal(): Promise<boolean> {
    const { journal } = this.#options;
    const piece = await this.#read(this.#committed);
    if (comparePositions(piece.end, journal.end) < 0) this.#readAhead(piece.end);
    if (piece.batch.size > 0) await this.#record(piece);
    this.#settleOwed(piece.ownCalls);
    await this.#commit(piece.end);
    // No call can be journaled between this comparison and the switch, so none is left out.
    if (comparePositions(piece.end, journal.end) < 0) return true;
    this.#behind = false;
    return false;
  }

  #read(from: JournalPosition): Promise<ReadPiece> {
    const ahead = this.#ahead;
    this.#ahead = undefined;
    // After a failure the database is given the same piece again, and what was read ahead is dropped.
    if (ahead !== undefined && comparePositions(ahead.from, from) === 0) return ahead.piece;
    return this.#readPiece(from);
  }

  #readAhead(from: JournalPosition): void {
    const piece = this.#readPiece(from);
    // Whoever takes it up hears of its failure; one that is dropped has none that matters.
    piece.catch(() => undefined);
    this.#ahead = { from, piece };
  }

  async #readPiece(from: JournalPosition): Promise<ReadPiece> {
    const { ledger, journal } = this.#options;
    const batch = ledger.newBatch();
    let ownCalls = 0;
    const end = await journal.read(from, BATCH_CALLS_MAX, (record, position) => {
      batch.add(record);
      if (position.file >= this.#firstFile) ownCalls += 1;
    });
    return { batch, from, end, ownCalls };
  }

  async #commit(position: JournalPosition): Promise<void> {
    const newFile = position.file !== this.#committed.file;
    this.#committed = position;
    if (newFile) await this.#options.journal.release(position);
  }

  async #record(piece: Piece): Promise<void> {
    await this.#writer.writePiece(piece);
    this.#recorded(piece.batch.size);
  }

  #recorded(calls: number): void {
    if (this.#failedTries === 0) return;
    this.#failedTries = 0;
    this.#options.logger.info({ calls }, "calls are recorded again");
  }

  /** Calls that were running when an earlier process died end in a file of this one, which never offered them. */
  #settleOwed(calls: number): void {
    this.#owedCalls = Math.max(0, this.#owedCalls - calls);
  }

  #lagMs(): number {
    return this.#hasWork() ? this.#options.clock.monotonic() - this.#wholeAtMs : 0;
  }
}
