import type { Clock, Timer } from "../core/clock.js";
import { Fault } from "../core/fault.js";
import type { Logger } from "../core/logger.js";
import type { JournalFile } from "./journal-file.js";
import type { JournalPosition } from "./ports.js";

interface Waiter {
  readonly position: JournalPosition;
  readonly resolve: () => void;
  readonly reject: (fault: Fault) => void;
}

export interface SyncerOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Longest time between an append and the start of the sync that covers it. */
  readonly intervalMs: number;
}

/**
 * Syncs journal files in groups: one `fdatasync` at a time covers everything appended before it. Without
 * waiters one runs each interval; a waiter starts one at once, and those who come meanwhile share the next.
 */
export class JournalSyncer {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #intervalMs: number;
  /** Files with unsynced bytes or an open handle, oldest first. The last one may still be appended to. */
  readonly #files: JournalFile[] = [];
  readonly #waiters: Waiter[] = [];
  #timer: Timer | undefined;
  #running: Promise<void> | undefined;
  #lastSyncMs = 0;
  #failures = 0;

  constructor(options: SyncerOptions) {
    this.#clock = options.clock;
    this.#logger = options.logger;
    this.#intervalMs = options.intervalMs;
  }

  /** Duration of the last sync in milliseconds, and how many have failed. */
  get stats(): { readonly lastSyncMs: number; readonly failures: number } {
    return { lastSyncMs: this.#lastSyncMs, failures: this.#failures };
  }

  get unsyncedBytes(): number {
    return this.#files.reduce((sum, file) => sum + file.size - file.syncedBytes, 0);
  }

  add(file: JournalFile): void {
    this.#files.push(file);
  }

  /** Says that bytes were appended. */
  touched(): void {
    if (this.#timer !== undefined || this.#running !== undefined) return;
    this.#timer = this.#clock.setTimer(() => {
      this.#timer = undefined;
      void this.run();
    }, this.#intervalMs);
  }

  /** Resolves when the journal up to `position` survives a power cut; rejects with Fault `storage_unavailable`. */
  synced(position: JournalPosition): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiters.push({ position, resolve, reject });
      if (this.#running === undefined) void this.run();
    });
  }

  /** Syncs what is unsynced now. Never rejects: failures go to the waiters and the log. */
  run(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#running ??= this.#round().finally(() => {
      this.#running = undefined;
      if (this.#waiters.length > 0) void this.run();
      else if (this.#files.some((file) => file.dirty)) this.touched();
    });
    return this.#running;
  }

  /** Syncs and closes all files. */
  async close(): Promise<void> {
    if (this.#running !== undefined) await this.#running;
    for (const file of this.#files) file.retired = true;
    while (this.#files.length > 0) await this.run();
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  async #round(): Promise<void> {
    for (const file of this.#files.slice()) {
      if (file.dirty) await this.#syncFile(file);
      this.#settle(file);
      // A file that was rolled over meanwhile keeps its handle until its last bytes are synced.
      if (file.failed || (file.retired && !file.dirty)) this.#drop(file);
    }
  }

  async #syncFile(file: JournalFile): Promise<void> {
    const began = this.#clock.monotonic();
    try {
      await file.sync();
      this.#lastSyncMs = this.#clock.monotonic() - began;
    } catch (error) {
      this.#failures += 1;
      this.#logger.error({ err: error, journal: file.number }, "journal sync failed; new file");
    }
  }

  #settle(file: JournalFile): void {
    const left: Waiter[] = [];
    for (const waiter of this.#waiters.splice(0)) {
      if (waiter.position.file !== file.number) left.push(waiter);
      else if (waiter.position.offset <= file.syncedBytes) waiter.resolve();
      else if (file.failed) waiter.reject(notSynced());
      else left.push(waiter);
    }
    this.#waiters.push(...left);
  }

  #drop(file: JournalFile): void {
    const index = this.#files.indexOf(file);
    if (index >= 0) this.#files.splice(index, 1);
    try {
      file.close();
    } catch (error) {
      this.#logger.warn({ err: error, journal: file.number }, "journal file did not close");
    }
  }
}

function notSynced(): Fault {
  return new Fault(
    "storage_unavailable",
    "The disk did not confirm the record of this call; check the health of the data folder's disk.",
    { retryAfterSeconds: 5 },
  );
}
