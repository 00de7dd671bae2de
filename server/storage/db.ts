import knexModule, { type Knex } from "knex";
import { storageFault } from "./faults.js";
import { sqlitePragmas } from "./sql-dialect.js";

/** Connections that read side by side. Each running statement occupies one thread of libuv's pool. */
export const READ_CONNECTIONS_MAX = 3;
/** How long a statement waits for another program that has locked the database. */
export const BUSY_TIMEOUT_MS = 5_000;
/** How long a read waits for a free connection. */
const ACQUIRE_TIMEOUT_MS = 30_000;

/**
 * Through this the nouns use the database. It turns the driver's errors into Faults. A handle made for a transaction
 * refuses to work once that is over, instead of writing outside of it.
 */
export class Db {
  readonly #knex: Knex;
  readonly #toFault: (thrown: unknown) => unknown;
  #ended = false;

  constructor(options: { knex: Knex; toFault: (thrown: unknown) => unknown }) {
    this.#knex = options.knex;
    this.#toFault = options.toFault;
  }

  /** Runs one statement. Throws Fault `storage_unavailable`, `database_corrupt`, `already_exists` or `failed_precondition`. */
  async query<T>(build: (knex: Knex) => PromiseLike<T>): Promise<T> {
    if (this.#ended) throw new Error("a transaction was used after its end");
    try {
      return await build(this.#knex);
    } catch (thrown) {
      throw this.#toFault(thrown);
    }
  }

  /** The rows of a statement in plain SQL; none for a statement that gives none. */
  async rows<R>(sql: string, bindings: readonly Knex.RawBinding[] = []): Promise<R[]> {
    const rows: unknown = await this.query<unknown>((knex) => knex.raw(sql, [...bindings]));
    return rows as R[];
  }

  /** Runs reads that all see one state of the database, that at the first of them. */
  snapshot<T>(read: (db: Db) => Promise<T>): Promise<T> {
    const toFault = this.#toFault;
    return this.query((knex) => knex.transaction((trx) => read(new Db({ knex: trx, toFault }))));
  }

  end(): void {
    this.#ended = true;
  }
}

/** Connections to one SQLite file: one that writes, or some that can only read. */
export function connect(options: {
  file: string;
  readOnly: boolean;
  /** False for a file that is not the database itself. */
  pragmas?: boolean;
  busyTimeoutMs?: number;
  /** Its statements end with an error when this is aborted. */
  signal?: AbortSignal | undefined;
}): Knex {
  const { file, readOnly, busyTimeoutMs = BUSY_TIMEOUT_MS, signal } = options;
  const pragmas = options.pragmas === false ? [] : sqlitePragmas({ readOnly, busyTimeoutMs });
  // knex is CommonJS without named exports that Node can see.
  return knexModule.knex({
    client: "sqlite3",
    connection: { filename: file },
    useNullAsDefault: true,
    // Else an error's message would carry bound values: ciphertexts, hashes.
    compileSqlOnError: false,
    // knex would print errors on its own; here each is thrown to the caller.
    log: { debug: silent, warn: silent, error: silent, deprecate: silent },
    acquireConnectionTimeout: ACQUIRE_TIMEOUT_MS,
    pool: {
      min: readOnly ? 0 : 1,
      max: readOnly ? READ_CONNECTIONS_MAX : 1,
      afterCreate: (connection: RawConnection, done: Done) => {
        signal?.addEventListener("abort", () => {
          connection.interrupt();
        });
        void prepare(connection, pragmas, done);
      },
    },
  });
}

/** A Db over these connections, for work outside a transaction. */
export function openDb(knex: Knex, dataFile: string): Db {
  return new Db({ knex, toFault: (thrown) => storageFault(thrown, dataFile) });
}

function silent(): void {}

/** The part of the driver's connection that is used before knex has it. */
interface RawConnection {
  run(sql: string, callback: (error: Error | null) => void): unknown;
  interrupt(): void;
}
type Done = (error: Error | null, connection: RawConnection) => void;

async function prepare(
  connection: RawConnection,
  pragmas: readonly string[],
  done: Done,
): Promise<void> {
  for (const pragma of pragmas) {
    const error = await new Promise<Error | null>((resolve) => {
      connection.run(pragma, resolve);
    });
    if (error !== null) {
      done(error, connection);
      return;
    }
  }
  done(null, connection);
}
