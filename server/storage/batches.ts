import type { Batch, OpenBatch } from "../core/batch.js";
import type { CallRecord } from "../core/call.js";
import type { BatchNews } from "../core/finished-call.js";
import type { Db } from "./db.js";
import { SQLITE } from "./sql-dialect.js";
import type { Writer } from "./writer.js";

/** What is in the column of facts; the rest has columns of its own. */
type Facts = Omit<Batch, "scope" | "batchId" | "ownerId" | "providerKeyId" | "madeAt">;

interface Row {
  readonly number: number;
  readonly scope: string;
  readonly batchId: string;
  readonly ownerId: string;
  readonly providerKeyId: string;
  readonly madeAt: number;
  readonly misses: number;
  readonly facts: string;
  readonly records: string | null;
}

const SELECT = `SELECT number, scope, batch_id AS "batchId", owner_id AS "ownerId",
  provider_key_id AS "providerKeyId", made_at AS "madeAt", misses, facts, records FROM batches`;

type BatchName = Pick<Batch, "scope" | "batchId">;
type FoundName = Pick<Batch, "batchId" | "path">;

const SEEK = "UPDATE batches SET look_at = ? WHERE scope = ? AND batch_id = ?";
const FORGET = "DELETE FROM batches WHERE scope = ? AND batch_id = ?";

/** Batches and when to look at them next; those that are counted have no such time. */
export class BatchStore {
  readonly #writer: Writer;
  readonly #reader: Db;

  constructor(options: { writer: Writer; reader: Db }) {
    this.#writer = options.writer;
    this.#reader = options.reader;
  }

  /** Notes a batch that was made; answers the number of its row. One that is known already stays as it is: undefined. */
  add(batch: Batch, lookAt: number): Promise<number | undefined> {
    return this.#writer.run((db) => insert(db, batch, lookAt));
  }

  /** Notes a batch instead of that it was asked for; answers as `add`. */
  made(batch: Batch, asked: BatchName, lookAt: number): Promise<number | undefined> {
    return this.#writer.run(async (db) => {
      const number = await insert(db, batch, lookAt);
      // Where it was taken for another that was asked for alike, that one is still to be found.
      const last = number === undefined ? SEEK : FORGET;
      const due = number === undefined ? [batch.madeAt] : [];
      await db.rows(last, [...due, asked.scope, asked.batchId]);
      return number;
    });
  }

  /** What was asked for was found in a list: as the first of these that no other row is. False where there is none. */
  found(
    { number, scope, batchId, ...asked }: OpenBatch,
    names: readonly FoundName[],
    lookAt: number,
  ): Promise<boolean> {
    return this.#writer.run(async (db) => {
      const query = `${SELECT} WHERE batch_id IN (${SQLITE.eachText})`;
      const rows = await db.rows<Row>(query, [JSON.stringify(names.map((name) => name.batchId))]);
      const taken = rows.map(batchOf).filter((row) => isOf(row, scope, asked.providerId));
      const name = names.find((each) => taken.every((row) => row.batchId !== each.batchId));
      if (name === undefined) return false;
      await db.rows(FORGET, [scope, batchId]);
      const { misses: _misses, records: _records, sought: _sought, ...batch } = asked;
      await insert(db, { ...batch, scope, ...name }, lookAt, number);
      return true;
    });
  }

  /** Makes what was asked for due, to be looked for in its provider's list; answers it, undefined where it is not known. */
  async seek({ scope, batchId }: BatchName, lookAt: number): Promise<OpenBatch | undefined> {
    const where = "WHERE scope = ? AND batch_id = ? AND look_at IS NOT NULL";
    await this.#run(`UPDATE batches SET look_at = ? ${where}`, [lookAt, scope, batchId]);
    return this.find(scope, batchId);
  }

  /** It was not made. */
  async forget({ scope, batchId }: BatchName): Promise<void> {
    await this.#run(FORGET, [scope, batchId]);
  }

  /** All that are not counted, the oldest first. */
  async open(): Promise<readonly OpenBatch[]> {
    const rows = await this.#reader.rows<Row>(
      `${SELECT} WHERE look_at IS NOT NULL ORDER BY number`,
    );
    return rows.map(batchOf);
  }

  /** One of them; undefined where it is counted, or was never noted. */
  async find(scope: string, batchId: string): Promise<OpenBatch | undefined> {
    const [row] = await this.#reader.rows<Row>(
      `${SELECT} WHERE scope = ? AND batch_id = ? AND look_at IS NOT NULL`,
      [scope, batchId],
    );
    return row === undefined ? undefined : batchOf(row);
  }

  /** The one that is due the longest, of users other than these. */
  async due(nowMs: number, exceptOwners: readonly string[]): Promise<OpenBatch | undefined> {
    const [row] = await this.#reader.rows<Row>(
      `${SELECT} WHERE look_at <= ? AND owner_id NOT IN (${SQLITE.eachText})
       ORDER BY look_at LIMIT 1`,
      [nowMs, JSON.stringify(exceptOwners)],
    );
    return row === undefined ? undefined : batchOf(row);
  }

  /** When the next one is due of users other than these; undefined if there is none. */
  async nextLookAt(exceptOwners: readonly string[]): Promise<number | undefined> {
    const [row] = await this.#reader.rows<{ lookAt: number }>(
      `SELECT look_at AS "lookAt" FROM batches
       WHERE look_at IS NOT NULL AND owner_id NOT IN (${SQLITE.eachText}) ORDER BY look_at LIMIT 1`,
      [JSON.stringify(exceptOwners)],
    );
    return row?.lookAt;
  }

  /** Makes all of them due. */
  async hastenAll(nowMs: number): Promise<void> {
    await this.#run("UPDATE batches SET look_at = ? WHERE look_at > ?", [nowMs, nowMs]);
  }

  /** Makes one due, to be asked for with this key. */
  async hasten(number: number, providerKeyId: string, nowMs: number): Promise<void> {
    await this.#run(
      "UPDATE batches SET look_at = ?, provider_key_id = ? WHERE number = ? AND look_at IS NOT NULL",
      [nowMs, providerKeyId, number],
    );
  }

  /** Nothing is to be counted yet. */
  async putOff(number: number, lookAt: number, misses: number): Promise<void> {
    await this.#run(
      "UPDATE batches SET look_at = ?, misses = ? WHERE number = ? AND look_at IS NOT NULL",
      [lookAt, misses, number],
    );
  }

  /** What it used is known, and goes to the ledger next. */
  async keepRecords(number: number, records: readonly CallRecord[]): Promise<void> {
    const json = JSON.stringify(records);
    await this.#run("UPDATE batches SET records = ? WHERE number = ?", [json, number]);
  }

  /** The ledger has what it used. */
  async counted(number: number): Promise<void> {
    await this.#run("UPDATE batches SET look_at = NULL, records = NULL WHERE number = ?", [number]);
  }

  /** Of its row, whether it is counted or not; undefined where it is not known. */
  async numberOf({ scope, batchId }: BatchName): Promise<number | undefined> {
    const [row] = await this.#reader.rows<{ number: number }>(
      "SELECT number FROM batches WHERE scope = ? AND batch_id = ?",
      [scope, batchId],
    );
    return row?.number;
  }

  /** Forgets some that are counted and were made before a time; answers how many. */
  prune(beforeMs: number, most: number): Promise<number> {
    return this.#writer.runInBackground(async (db) => {
      await db.rows(
        `DELETE FROM batches WHERE number IN
           (SELECT number FROM batches WHERE look_at IS NULL AND made_at < ? LIMIT ?)`,
        [beforeMs, most],
      );
      return changedRows(db);
    });
  }

  async #run(sql: string, bindings: readonly (string | number)[]): Promise<void> {
    await this.#writer.run((db) => db.rows(sql, bindings));
  }
}

/** Puts down what calls make known of batches and responses, in the transaction that puts the calls down. */
export async function noteNews(db: Db, news: readonly BatchNews[]): Promise<void> {
  for (const each of news) {
    if (each.kind === "GOES_ON") await insert(db, each.batch, each.lookAt);
    else {
      await db.rows(
        "UPDATE batches SET look_at = NULL, records = NULL WHERE scope = ? AND batch_id = ?",
        [each.scope, each.batchId],
      );
    }
  }
}

async function insert(
  db: Db,
  batch: Batch,
  lookAt: number,
  number: number | null = null,
): Promise<number | undefined> {
  const { scope, batchId, ownerId, providerKeyId, madeAt, ...facts } = batch;
  const [row] = await db.rows<{ number: number }>(
    `INSERT INTO batches
       (number, scope, batch_id, owner_id, provider_key_id, made_at, look_at, facts)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (scope, batch_id) DO NOTHING RETURNING number`,
    [number, scope, batchId, ownerId, providerKeyId, madeAt, lookAt, JSON.stringify(facts)],
  );
  return row?.number;
}

/** Ids are their providers', and those of one scope must not be mistaken for each other either. */
function isOf(row: Batch, scope: string, providerId: string): boolean {
  return row.scope === scope || row.providerId === providerId;
}

async function changedRows(db: Db): Promise<number> {
  const [row] = await db.rows<{ rows: number }>(SQLITE.changedRows);
  return row?.rows ?? 0;
}

function batchOf({ facts, records, ...row }: Row): OpenBatch {
  return {
    ...(JSON.parse(facts) as Facts),
    ...row,
    records: records === null ? undefined : (JSON.parse(records) as CallRecord[]),
  };
}
