import type { Clock, Timer } from "../core/clock.js";
import type { Logger } from "../core/logger.js";

/** Written this often: such things change with every call, and only a restart reads them back. */
const FLUSH_MS = 2_000;

export interface WriteBehindOptions<T> {
  readonly clock: Clock;
  readonly logger: Logger;
  /** What is written, for the log. */
  readonly what: string;
  /** Hands out what changed since it was last asked. */
  readonly takeChanged: () => readonly T[];
  /** What a later change of the same thing has in common with an earlier one. */
  readonly nameOf: (row: T) => string;
  readonly write: (rows: readonly T[]) => Promise<void>;
  /** Rows that wait for a database that is away; the oldest of more are dropped. */
  readonly pendingMax: number;
}

/**
 * Writes what changes all the time to the database later and in batches; the state in memory is what is worked with.
 */
export class WriteBehind<T> {
  readonly #options: WriteBehindOptions<T>;
  /** Taken and not written yet; the newest of each thing. */
  readonly #pending = new Map<string, T>();
  #timer: Timer | undefined;
  #stopped = false;

  constructor(options: WriteBehindOptions<T>) {
    this.#options = options;
  }

  start(): void {
    this.#timer = this.#options.clock.setTimer(() => {
      void this.flush().then(() => {
        if (!this.#stopped) this.start();
      });
    }, FLUSH_MS);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.flush();
  }

  /** Writes what changed; what cannot be written now is kept for the next time. */
  async flush(): Promise<void> {
    const { takeChanged, nameOf, write, logger, what } = this.#options;
    for (const row of takeChanged()) this.#pending.set(nameOf(row), row);
    this.#dropOldest();
    if (this.#pending.size === 0) return;
    const rows = [...this.#pending.values()];
    try {
      await write(rows);
      this.#pending.clear();
    } catch (error) {
      logger.warn({ err: error, what, rows: rows.length }, "what changed was not written yet");
    }
  }

  #dropOldest(): void {
    const surplus = this.#pending.size - this.#options.pendingMax;
    if (surplus <= 0) return;
    for (const name of [...this.#pending.keys()].slice(0, surplus)) this.#pending.delete(name);
  }
}
