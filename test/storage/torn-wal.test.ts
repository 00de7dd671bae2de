import assert from "node:assert/strict";
import { copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import * as make from "./fixture.js";
import { call } from "./ledger-fixture.js";

const TRIALS = 40;

test("whatever part of the WAL reached the disk, the database opens at a whole transaction", async (t) => {
  const { storage, folder } = await make.opened(t);
  for (let n = 0; n < 30; n++) {
    await storage.keys.write(async (tx) => {
      await tx.users.insert(make.user(`usr_${String(n).padStart(3, "0")}`));
      await tx.audit.append(make.auditDraft());
    });
    await storage.ledger.appendCalls([call(2 * n), call(2 * n + 1)], { file: 1, offset: n });
  }
  // What a power cut leaves: the file and some first part of the WAL. The server is idle meanwhile.
  const cut = path.join(await make.tempFolder(t), "base");
  await mkdir(cut);
  await copyFile(path.join(folder, "latchkey.db"), path.join(cut, "latchkey.db"));
  const wal = await readFile(path.join(folder, "latchkey.db-wal"));
  assert.ok(wal.length > 100_000, `${wal.length}`);

  const seen = new Set<number>();
  for (let trial = 0; trial <= TRIALS; trial++) {
    const data = path.join(path.dirname(cut), `trial-${trial}`);
    await mkdir(data);
    await copyFile(path.join(cut, "latchkey.db"), path.join(data, "latchkey.db"));
    // Odd trials end inside a frame, even ones at a page's end or close to it.
    const length = Math.floor((wal.length * trial) / TRIALS) - (trial % 2 === 0 ? 0 : 7);
    await writeFile(path.join(data, "latchkey.db-wal"), wal.subarray(0, Math.max(length, 0)));
    const again = await make.opened(t, { dataFolder: data });
    const users = (await again.storage.keys.read.users.all()).map((user) => user.id);
    const audit = await again.storage.auditTrail.verify();
    assert.deepEqual([audit.ok, audit.checked], [true, users.length]);
    assert.deepEqual(
      users,
      Array.from({ length: users.length }, (_, n) => `usr_${String(n).padStart(3, "0")}`),
    );
    const calls = (await again.storage.ledger.listCalls(make.query())).total;
    const position = await again.storage.ledger.journalPosition();
    assert.equal(calls, position === undefined ? 0 : (position.offset + 1) * 2);
    seen.add(users.length);
    await again.storage.close();
  }
  assert.ok(seen.has(30), "the whole WAL gives everything");
  assert.ok(seen.size > 10, `${seen.size}`);
});
