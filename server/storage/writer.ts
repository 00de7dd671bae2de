import { AsyncLocalStorage } from "node:async_hooks";
import type { Knex } from "knex";
import { Fault } from "../core/fault.js";
import { Db } from "./db.js";
import { SQLITE } from "./sql-dialect.js";

/** Transactions that may wait for their turn; beyond it the server is hopelessly behind its disk. */
export const WRITER_QUEUE_MAX = 10_000;

/**
 * The one writer. Transactions run one after the other, each from BEGIN to COMMIT, in the order in which
 * they were asked for, so that a transaction can read what it is about to change without others in between.
 */
export class Writer {
  readonly #knex: Knex;
  readonly #toFault: (thrown: unknown) => unknown;
  readonly #onCommit: () => void;
  readonly #calm: () => Promise<void>;
  readonly #inside: AsyncLocalStorage<{ active: boolean }> | undefined;
  #tail: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  #closed = false;
  #backgroundEnded = false;
  #unfinished = false;
  /** Transactions that were to begin so far. */
  #begins = 0;
  /** The last of them, where it could not: the database was locked for as long as it may wait. */
  #failedBegin: { readonly at: number; readonly thrown: unknown } | undefined;

  constructor(options: {
    knex: Knex;
    toFault: (thrown: unknown) => unknown;
    /** Called after each commit, whatever it changed. Must not throw. */
    onCommit?: () => void;
    /** Resolves when transactions that can wait do nobody harm. */
    calm?: () => Promise<void>;
    /**
     * Refuses a transaction inside another one, which otherwise waits for itself. For tests: following
     * where a call comes from costs every asynchronous step of the whole process.
     */
    refusesNested?: boolean;
  }) {
    this.#knex = options.knex;
    this.#toFault = options.toFault;
    this.#onCommit = options.onCommit ?? (() => undefined);
    this.#calm = options.calm ?? (() => Promise.resolve());
    this.#inside = options.refusesNested === true ? new AsyncLocalStorage() : undefined;
  }

  /** Transactions that wait or run now. */
  get backlog(): number {
    return this.#waiting;
  }

  /**
   * Runs `work` in a transaction: commits when it resolves, rolls back when it throws. `committed` is
   * called after the commit and before the next transaction begins, so that what it announces is in order.
   * Throws Fault `shutting_down`, `overloaded`, `storage_unavailable` or what `work` threw.
   */
  run<T>(work: (db: Db) => Promise<T>, committed?: (result: T) => void): Promise<T> {
    if (this.#inside?.getStore()?.active === true) {
      return Promise.reject(new Error("a transaction was started inside another one"));
    }
    if (this.#closed) {
      return Promise.reject(shuttingDown());
    }
    if (this.#waiting >= WRITER_QUEUE_MAX) {
      return Promise.reject(
        new Fault("overloaded", "Too many changes are waiting for the database; try again soon.", {
          retryAfterSeconds: 5,
        }),
      );
    }
    this.#waiting += 1;
    const askedAt = this.#begins;
    const result = this.#tail.then(() => this.#transaction(askedAt, work, committed));
    const settled = () => {
      this.#waiting -= 1;
    };
    this.#tail = result.then(settled, settled);
    return result;
  }

  /** As `run`, for work in many transactions that nobody waits for. */
  async runInBackground<T>(work: (db: Db) => Promise<T>): Promise<T> {
    await this.#calm();
    if (this.#backgroundEnded) throw shuttingDown();
    return this.run(work);
  }

  /** Refuses further work in the background: what millions of rows take would keep the server from stopping. */
  endBackground(): void {
    this.#backgroundEnded = true;
  }

  /** Runs `work` when the transactions that wait have run; those asked for from now on wait for it. */
  pause<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(work);
    const settled = () => undefined;
    this.#tail = result.then(settled, settled);
    return result;
  }

  /** Refuses further transactions and resolves when those that wait have run. */
  async drain(): Promise<void> {
    this.#closed = true;
    await this.#tail;
  }

  async #transaction<T>(
    askedAt: number,
    work: (db: Db) => Promise<T>,
    committed: ((result: T) => void) | undefined,
  ): Promise<T> {
    const db = new Db({ knex: this.#knex, toFault: this.#toFault });
    const scope = { active: true };
    try {
      await this.#begin(db, askedAt);
      let result: T;
      try {
        result = await (this.#inside === undefined ? work(db) : this.#inside.run(scope, work, db));
        await db.rows("COMMIT");
      } catch (thrown) {
        this.#unfinished = true;
        await this.#rollBack(db).catch(ignoreUntilNext);
        throw thrown;
      }
      this.#onCommit();
      committed?.(result);
      return result;
    } finally {
      scope.active = false;
      db.end();
    }
  }

  /**
   * Whoever has waited behind a transaction that could not begin has waited for the same, and is told the same: one
   * after the other would wait longer than anybody listens.
   */
  async #begin(db: Db, askedAt: number): Promise<void> {
    const failed = this.#failedBegin;
    if (failed !== undefined && askedAt < failed.at) throw failed.thrown;
    const at = ++this.#begins;
    try {
      if (this.#unfinished) await this.#rollBack(db);
      await db.rows(SQLITE.begin);
      this.#failedBegin = undefined;
    } catch (thrown) {
      this.#failedBegin = { at, thrown };
      throw thrown;
    }
  }

  async #rollBack(db: Db): Promise<void> {
    try {
      await db.rows("ROLLBACK");
    } catch (thrown) {
      // Some failures (a full disk, an I/O error) have rolled back already; then there is nothing to undo.
      const done = thrown instanceof Error && thrown.message.includes("no transaction is active");
      if (!done) throw thrown;
    }
    this.#unfinished = false;
  }
}

/** A roll-back that failed is tried again before the next transaction; its caller hears of the first error. */
function ignoreUntilNext(): void {}

function shuttingDown(): Fault {
  return new Fault("shutting_down", "Latchkey is stopping; try again soon.");
}
