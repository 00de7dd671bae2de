import type { BegunCall, CallEntry, CallRecord } from "../core/call.js";
import type { Clock, Timer } from "../core/clock.js";
import { Fault } from "../core/fault.js";
import type { Logger } from "../core/logger.js";
import type { JournalDisk } from "./journal-disk.js";
import { JournalFile } from "./journal-file.js";
import { FrameEncoder, HEADER_BYTES } from "./journal-frames.js";
import { journalName, tornName } from "./journal-position.js";
import { JournalReader, type CallVisitor } from "./journal-reader.js";
import { recoverJournal, type RecoveredJournal } from "./journal-recovery.js";
import { JournalSyncer } from "./journal-syncer.js";
import { OpenCalls } from "./open-calls.js";
import type { JournalPosition } from "./ports.js";

/** A file is closed and the next begun when it has reached this size. */
export const JOURNAL_FILE_BYTES = 64 * 1024 * 1024;
/** Longest time in which a power cut can lose a record that was not waited for. */
export const JOURNAL_SYNC_INTERVAL_MS = 50;
/** A new file is tried at most this often while the disk refuses. */
const REOPEN_INTERVAL_MS = 1000;
/** Files with a torn tail that are kept for inspection. */
const TORN_FILES_MAX = 4;
const TORN = /^journal-\d+\.torn$/;

export interface JournalOptions {
  readonly disk: JournalDisk;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly fileBytes?: number;
  readonly syncIntervalMs?: number;
}

export interface JournalStats {
  readonly end: JournalPosition;
  /** True while the disk refuses records. */
  readonly failing: boolean;
  readonly files: number;
  /** Of all files together. */
  readonly sizeBytes: number;
  readonly openCalls: number;
  readonly unsyncedBytes: number;
  readonly lastSyncMs: number;
  readonly syncFailures: number;
  readonly writeFailures: number;
}

/**
 * The append-only record of calls on this node. A call is safe from a kill of the process when `finish`
 * returns, and from a power cut when `synced` of its position resolves. Files are numbered upwards; an
 * old one is only ever read and, once the database holds it whole, removed.
 */
export class Journal {
  readonly #options: Required<JournalOptions>;
  readonly #encoder = new FrameEncoder();
  readonly #syncer: JournalSyncer;
  readonly #reader: JournalReader;
  /** Calls that have begun and not finished; they are written again at the head of each new file. */
  readonly #open = new OpenCalls();
  readonly #torn: Set<number>;
  /** Files that exist, by rising number, with their sizes in bytes; of the current one, `JournalFile.size` holds. */
  readonly #files: Map<number, number>;
  #current: JournalFile | undefined;
  #nextNumber: number;
  #lastEnd: JournalPosition;
  #retryAtMs = Number.NEGATIVE_INFINITY;
  #lastError: unknown;
  #failing = false;
  /** Runs while it fails. */
  #nextTry: Timer | undefined;
  #writeFailures = 0;
  #closed = false;

  constructor(options: JournalOptions, recovered: RecoveredJournal) {
    this.#options = {
      fileBytes: JOURNAL_FILE_BYTES,
      syncIntervalMs: JOURNAL_SYNC_INTERVAL_MS,
      ...options,
    };
    const { clock, logger, syncIntervalMs: intervalMs, disk } = this.#options;
    this.#syncer = new JournalSyncer({ clock, logger, intervalMs });
    const [files, end] = [() => [...this.#files.keys()], () => this.end];
    this.#reader = new JournalReader({ disk, logger, files, end });
    this.#files = new Map(recovered.files);
    this.#torn = new Set(recovered.torn.map((file) => file.number));
    this.#nextNumber = recovered.nextNumber;
    this.#lastEnd = { file: recovered.nextNumber, offset: HEADER_BYTES };
    this.#openNext();
  }

  /** Where the next frame will begin. */
  get end(): JournalPosition {
    const file = this.#current;
    return file === undefined ? this.#lastEnd : { file: file.number, offset: file.size };
  }

  get openCalls(): number {
    return this.#open.size;
  }

  /** Calls of one owner that have begun and not finished. */
  openCallsOf(ownerId: string): number {
    let count = 0;
    for (const { call } of this.#open) if (call.ownerId === ownerId) count += 1;
    return count;
  }

  get stats(): JournalStats {
    const { lastSyncMs, failures: syncFailures } = this.#syncer.stats;
    return {
      end: this.end,
      failing: this.#failing,
      files: this.#files.size,
      sizeBytes: this.#sizeBytes(),
      openCalls: this.#open.size,
      unsyncedBytes: this.#syncer.unsyncedBytes,
      lastSyncMs,
      syncFailures,
      writeFailures: this.#writeFailures,
    };
  }

  /** Records that a call was admitted. Throws Fault `storage_unavailable`. */
  begin(call: BegunCall): void {
    const entries: readonly CallEntry[] = [{ kind: "BEGUN", call }];
    try {
      this.append(entries);
    } catch (error) {
      this.forget(entries);
      throw error;
    }
  }

  /** Records a finished call; on return it survives the death of the process. Throws Fault `storage_unavailable`. */
  finish(record: CallRecord): JournalPosition {
    this.append([{ kind: "FINISHED", record }]);
    return this.end;
  }

  /**
   * Records what begins and ends, in this order and in one write; on return it survives the death of the process.
   * Answers where each of the finished ones ends. Throws Fault `storage_unavailable` with none of them recorded; calls that
   * have begun count as open all the same, and the next file will hold them, unless they are forgotten.
   */
  append(entries: readonly CallEntry[]): readonly JournalPosition[] {
    const file = this.#fileFor(entries);
    const encoder = this.#encoder;
    encoder.clear();
    const { number, size: before, seed } = file;
    const ends: JournalPosition[] = [];
    for (const entry of entries) {
      if (entry.kind === "BEGUN") {
        encoder.begin(this.#open.add(entry.call), seed);
        continue;
      }
      const { record } = entry;
      const end = encoder.finish(record, seed, this.#open.take(record.id));
      ends.push({ file: number, offset: before + end });
    }
    try {
      file.append(encoder.bytes, encoder.length);
    } catch (error) {
      this.#failed(error);
      throw this.#unavailable();
    }
    if (this.#failing) this.#recovered();
    this.#syncer.touched();
    return ends;
  }

  /** Forgets calls that were refused because their begin could not be recorded. */
  forget(entries: readonly CallEntry[]): void {
    for (const entry of entries) if (entry.kind === "BEGUN") this.#open.take(entry.call.id);
  }

  /** The file to append to. Throws without one, after noting which calls the entries open and end. */
  #fileFor(entries: readonly CallEntry[]): JournalFile {
    try {
      return this.#writable();
    } catch (error) {
      for (const entry of entries) {
        if (entry.kind === "BEGUN") this.#open.add(entry.call);
        else this.#open.take(entry.record.id);
      }
      throw error;
    }
  }

  /** Resolves when the journal up to `position` survives a power cut. Rejects with Fault `storage_unavailable`. */
  synced(position: JournalPosition): Promise<void> {
    return this.#syncer.synced(position);
  }

  /** Visits finished calls behind `from`, at most `max`; answers where to go on. Rejects with what the disk says. */
  read(from: JournalPosition, max: number, visit: CallVisitor): Promise<JournalPosition> {
    return this.#reader.read(from, max, visit);
  }

  /** Removes the files that lie wholly before `committed`; those with a torn tail are put aside instead. */
  async release(committed: JournalPosition): Promise<void> {
    const current = this.#current?.number;
    for (const number of this.#files.keys()) {
      if (number >= committed.file || number === current) continue;
      this.#files.delete(number);
      await this.#discard(number);
    }
  }

  /** Syncs and closes. Appending afterwards is refused. */
  async close(): Promise<void> {
    this.#lastEnd = this.end;
    this.#closed = true;
    this.#nextTry?.cancel();
    this.#current = undefined;
    await this.#syncer.close();
  }

  /** The file to append to. A full disk does not keep a large file from growing on where it can. */
  #writable(): JournalFile {
    if (this.#closed) throw this.#unavailable();
    const current = this.#current;
    const usable = current !== undefined && !current.retired;
    if (usable && current.size < this.#options.fileBytes) return current;
    if (this.#options.clock.monotonic() >= this.#retryAtMs && this.#openNext()) {
      if (this.#current !== undefined) return this.#current;
    }
    if (usable) return current;
    throw this.#unavailable();
  }

  #openNext(): boolean {
    const { disk, clock } = this.#options;
    const number = this.#nextNumber;
    let file: JournalFile | undefined;
    try {
      file = new JournalFile(disk, number, clock.now());
      file.writeHeader();
      this.#writeOpenCalls(file);
    } catch (error) {
      this.#retryAtMs = clock.monotonic() + REOPEN_INTERVAL_MS;
      this.#nextNumber = number + 1;
      this.#abandon(file);
      this.#notBegun(error);
      return false;
    }
    if (this.#current !== undefined) {
      this.#current.retired = true;
      this.#files.set(this.#current.number, this.#current.size);
    }
    this.#nextNumber = number + 1;
    this.#files.set(number, file.size);
    this.#current = file;
    this.#syncer.add(file);
    this.#syncer.touched();
    return true;
  }

  #writeOpenCalls(file: JournalFile): void {
    const encoder = this.#encoder;
    encoder.clear();
    for (const open of this.#open) encoder.begin(open, file.seed);
    file.append(encoder.bytes, encoder.length);
  }

  /** A file that could not be begun holds nothing that is not elsewhere; its number is not used again. */
  #abandon(file: JournalFile | undefined): void {
    if (file === undefined) return;
    const { disk, logger } = this.#options;
    file.close();
    disk.remove(journalName(file.number)).catch((error: unknown) => {
      logger.warn({ err: error, journal: file.number }, "an empty journal file was not removed");
    });
  }

  /** A next file could not be begun. That is no failure as long as the current one takes records. */
  #notBegun(error: unknown): void {
    if (this.#current === undefined || this.#current.retired || this.#failing) this.#failed(error);
    else this.#options.logger.warn({ err: error }, "no new journal file; the old one grows on");
  }

  async #discard(number: number): Promise<void> {
    const { disk, logger } = this.#options;
    try {
      if (this.#torn.delete(number)) {
        await disk.rename(journalName(number), tornName(number));
        await this.#pruneTorn();
      } else {
        await disk.remove(journalName(number));
      }
    } catch (error) {
      logger.warn({ err: error, journal: number }, "a journal file that is done was not removed");
    }
  }

  async #pruneTorn(): Promise<void> {
    const { disk } = this.#options;
    const torn = (await disk.list()).map((file) => file.name).filter((name) => TORN.test(name));
    for (const name of torn.toSorted().slice(0, -TORN_FILES_MAX)) await disk.remove(name);
  }

  #sizeBytes(): number {
    const current = this.#current;
    let bytes = 0;
    for (const [number, size] of this.#files) {
      bytes += number === current?.number ? current.size : size;
    }
    return bytes;
  }

  #failed(error: unknown): void {
    this.#writeFailures += 1;
    this.#lastError = error;
    if (this.#failing) return;
    this.#failing = true;
    this.#options.logger.error({ err: error }, "the journal cannot be written");
    this.#tryLater();
  }

  /** A server that is not ready may get no calls, which would show that the disk takes records again. */
  #tryLater(): void {
    const { clock } = this.#options;
    this.#nextTry = clock.setTimer(() => {
      if (clock.monotonic() >= this.#retryAtMs && this.#openNext()) this.#recovered();
      else this.#tryLater();
    }, REOPEN_INTERVAL_MS);
  }

  #recovered(): void {
    this.#failing = false;
    this.#nextTry?.cancel();
    this.#options.logger.info({ journal: this.end.file }, "the journal can be written again");
  }

  #unavailable(): Fault {
    return new Fault(
      "storage_unavailable",
      "This call cannot be recorded because the journal cannot be written; free space in the data folder or check its disk.",
      { cause: this.#lastError, retryAfterSeconds: 5 },
    );
  }
}

/**
 * Looks through what an earlier run left and begins a new file. A disk that refuses the new file does not
 * stop the start: calls are then refused or counted as lost, as the accounting policy says, until it takes
 * writes again. Throws Fault `data_folder_unusable` or `database_newer`.
 */
export async function openJournal(
  options: JournalOptions,
  after: JournalPosition | undefined,
): Promise<{ readonly journal: Journal; readonly recovered: RecoveredJournal }> {
  const recovered = await recoverJournal(options.disk, after);
  for (const file of recovered.torn) {
    options.logger.warn(
      { ...file },
      "journal file ends in the middle of a frame; a new one begins",
    );
  }
  for (const number of recovered.drained) {
    await options.disk.remove(journalName(number)).catch((error: unknown) => {
      options.logger.warn({ err: error, journal: number }, "a journal file that is done is left");
    });
  }
  return { journal: new Journal(options, recovered), recovered };
}
