import type { Clock } from "../core/clock.js";
import type { Db } from "./db.js";
import type { Writer } from "./writer.js";

/** Longest time between two checkpoints while there are commits. */
const CHECKPOINT_INTERVAL_MS = 250;
/** Pages from which on the WAL is to begin anew: 8 MiB at 4 KiB a page. */
const RESTART_PAGES = 2_000;

/**
 * Folds the WAL into the database beside the writer. Left alone, SQLite would do it within a commit now and then, and
 * that commit, and everything that waits for the writer, would take as long as the disk needs for megabytes.
 */
export class Checkpointer {
  readonly #db: Db;
  readonly #sync: () => Promise<void>;
  readonly #clock: Clock;
  readonly #restartPages: number;
  #endedMs = Number.NEGATIVE_INFINITY;
  /** Shorter while much is written, so that the WAL is never much larger than what it begins anew at. */
  #intervalMs = CHECKPOINT_INTERVAL_MS;
  #running: Promise<void> | undefined;
  #beginning: Promise<void> | undefined;
  #stopped = false;

  constructor(options: {
    db: Db;
    /** Brings to the disk what has been folded into the database's file. */
    sync: () => Promise<void>;
    clock: Clock;
    restartPages?: number;
  }) {
    this.#db = options.db;
    this.#sync = options.sync;
    this.#clock = options.clock;
    this.#restartPages = options.restartPages ?? RESTART_PAGES;
  }

  /** Called after every commit of the writer; starts a checkpoint when one is due. */
  committed(writer: Pick<Writer, "pause">): void {
    if (this.#stopped || this.#running !== undefined) return;
    if (this.#clock.monotonic() - this.#endedMs < this.#intervalMs) return;
    this.#running = this.#checkpoint(writer);
  }

  /** Resolves when the WAL is not about to begin anew; whatever is written meanwhile makes that take longer. */
  async calm(): Promise<void> {
    await this.#beginning?.catch(ignoredHere);
  }

  /** Resolves when none runs and none will. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  async #checkpoint(writer: Pick<Writer, "pause">): Promise<void> {
    try {
      const pages = await this.#fold();
      const fitting = (this.#intervalMs * this.#restartPages) / Math.max(pages, 1);
      this.#intervalMs = Math.min(Math.max(fitting, 1), CHECKPOINT_INTERVAL_MS);
      if (pages >= this.#restartPages) {
        this.#beginning = this.#beginAnew(writer);
        await this.#beginning;
      }
    } catch {
      // The WAL keeps everything, and the writer checkpoints itself when it has grown too far; if the disk
      // is at fault the writer is the one to say so.
    }
    this.#endedMs = this.#clock.monotonic();
    this.#beginning = undefined;
    this.#running = undefined;
  }

  /**
   * The WAL can start again from its beginning only when all of it is folded in and synced, for which the writer must
   * stand still. So most of that is done before, while the writer works: the disk's slow part is over by then.
   */
  async #beginAnew(writer: Pick<Writer, "pause">): Promise<void> {
    await this.#sync();
    await this.#fold();
    await this.#sync();
    await writer.pause(() => this.#fold());
  }

  /** PASSIVE waits for no reader: it folds in only what none still needs. Answers how many pages the WAL has. */
  async #fold(): Promise<number> {
    const [state] = await this.#db.rows<{ log: number }>("PRAGMA wal_checkpoint(PASSIVE)");
    return state?.log ?? 0;
  }
}

/** The failure is handled by whoever started it. */
function ignoredHere(): void {}
