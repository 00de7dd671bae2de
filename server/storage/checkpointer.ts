import type { Clock } from "../core/clock.js";
import type { Db } from "./db.js";

/** Time between two checkpoints while there are commits. */
const CHECKPOINT_INTERVAL_MS = 250;

/**
 * Folds the WAL into the database beside the writer. SQLite would do it in a commit every so often, and
 * that one commit, with all who wait behind it, would take as long as the disk needs for megabytes.
 */
export class Checkpointer {
  readonly #db: Db;
  readonly #clock: Clock;
  #endedMs = Number.NEGATIVE_INFINITY;
  #running: Promise<void> | undefined;
  #stopped = false;

  constructor(options: { db: Db; clock: Clock }) {
    this.#db = options.db;
    this.#clock = options.clock;
  }

  /** Called after every commit; starts a checkpoint when one is due. */
  committed(): void {
    if (this.#stopped || this.#running !== undefined) return;
    if (this.#clock.monotonic() - this.#endedMs < CHECKPOINT_INTERVAL_MS) return;
    this.#running = this.#checkpoint();
  }

  /** Resolves when none runs and none will. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  async #checkpoint(): Promise<void> {
    try {
      // PASSIVE waits for nobody: it folds in what no reader still needs.
      await this.#db.rows("PRAGMA wal_checkpoint(PASSIVE)");
    } catch {
      // The WAL keeps everything, and the writer checkpoints itself when it has grown too far; if the disk
      // is at fault the writer is the one to say so.
    }
    this.#endedMs = this.#clock.monotonic();
    this.#running = undefined;
  }
}
