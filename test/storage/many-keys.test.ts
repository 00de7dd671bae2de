// What a start reads of provider keys, of which there may be tens of thousands.
import assert from "node:assert/strict";
import test from "node:test";
import type { ProviderKey } from "../../server/core/provider-key.js";
import { connect, Db } from "../../server/storage/db.js";
import { providerKeyReader } from "../../server/storage/provider-keys.js";
import * as make from "./fixture.js";

const KEYS = 1_203;
/** More rows than one statement may bring. */
const ROWS_MAX = 600;

/** Knows how many rows each statement brought. */
class CountingDb extends Db {
  readonly brought: number[] = [];

  override async rows<R>(...statement: Parameters<Db["rows"]>): Promise<R[]> {
    const rows = await super.rows<R>(...statement);
    this.brought.push(rows.length);
    return rows;
  }
}

async function readAll(
  t: test.TestContext,
  stored: readonly ProviderKey[],
): Promise<{ all: readonly ProviderKey[]; brought: readonly number[] }> {
  const { storage } = await make.opened(t);
  await storage.keys.write(async (tx) => {
    await tx.users.insert(make.user("usr_1"));
    await tx.providers.insert(make.provider("prv_1"));
    await tx.providerKeys.insertAll(stored);
  });
  const knex = connect({ file: storage.file, readOnly: true });
  t.after(() => knex.destroy());
  const db = new CountingDb({ knex, toFault: (thrown) => thrown });
  return { all: await providerKeyReader(db).all(), brought: db.brought };
}

/** Many of one moment, which only their ids tell apart; the last are the oldest. */
const KEYS_STORED = Array.from({ length: KEYS }, (_, i) =>
  make.providerKey(`pk_${String(i).padStart(6, "0")}`, {
    createdAt: make.START_MS - Math.floor(i / 400),
  }),
);

test("all keys are read in the order in which they were made, few at a time", async (t) => {
  const { all, brought } = await readAll(t, KEYS_STORED);
  const order = KEYS_STORED.toSorted((a, b) => a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1));
  assert.deepEqual(
    all.map(({ id }) => id),
    order.map(({ id }) => id),
  );
  assert.ok(Math.max(...brought) <= ROWS_MAX, `${Math.max(...brought)} rows at once`);
});

test("the sealed secrets of keys share their memory, and their empty lists are one", async (t) => {
  const { all } = await readAll(t, KEYS_STORED);
  const pieces = new Set(
    all.flatMap(({ sealed }) => [sealed.ciphertext.buffer, sealed.rowMac.buffer]),
  );
  assert.ok(pieces.size < KEYS / 10, `${pieces.size} pieces of memory for ${KEYS} keys`);
  assert.equal(new Set(all.map(({ modelAllowlist }) => modelAllowlist)).size, 1);
});
