import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { Fault } from "../../server/core/fault.js";
import { connect } from "../../server/storage/db.js";
import { MIGRATIONS } from "../../server/storage/migrations/all.js";
import * as make from "./fixture.js";

const unavailable = (thrown: unknown) => {
  assert.ok(thrown instanceof Fault, String(thrown));
  assert.equal(thrown.code, "storage_unavailable");
  assert.ok(thrown.retryAfterSeconds !== undefined);
  return true;
};

test("transactions run one after the other and see all before them", async (t) => {
  const { storage } = await make.opened(t);
  await storage.keys.write((tx) => tx.settings.put("counter", "0"));
  await Promise.all(
    Array.from({ length: 200 }, () =>
      storage.keys.write(async (tx) => {
        const value = Number(await tx.settings.get("counter"));
        // Give another transaction the chance to come in between.
        await tx.users.all();
        await tx.settings.put("counter", String(value + 1));
      }),
    ),
  );
  assert.equal(await storage.keys.read.settings.get("counter"), "200");
});

test("reads go on while a transaction is open, and see only what is committed", async (t) => {
  const { storage } = await make.opened(t);
  await storage.keys.write(async (tx) => {
    await tx.users.insert(make.user("usr_1"));
    assert.equal((await tx.users.all()).length, 1);
    assert.equal((await storage.keys.read.users.all()).length, 0);
  });
  assert.equal((await storage.keys.read.users.all()).length, 1);
});

test("changes are numbered without gaps, and announced in that order after the commit", async (t) => {
  const { storage, announced } = await make.opened(t);
  const written: Promise<unknown>[] = [];
  for (let n = 0; n < 60; n++) {
    written.push(
      storage.keys
        .write(async (tx) => {
          await tx.users.insert(make.user(`usr_${n}`));
          await tx.settings.put("x", String(n));
          if (n % 3 === 0) throw new Error("roll back");
        })
        .catch(() => undefined),
    );
  }
  await Promise.all(written);
  const seqs = Array.from({ length: 80 }, (_, n) => n + 1);
  assert.deepEqual(
    announced.map((change) => change.seq),
    seqs,
  );
  const logged = await storage.changes.after(0, 1000);
  assert.deepEqual(
    logged.map((change) => change.seq),
    seqs,
  );
  assert.deepEqual(
    logged.map((change) => [change.kind, change.id, change.deleted]),
    announced.map((change) => [change.kind, change.id, change.value === null]),
  );
  assert.equal(await storage.changes.lastSeq(), 80);
  assert.equal(await storage.pruneChanges(10), 70);
  assert.equal((await storage.changes.after(0, 1000))[0]?.seq, 71);
  await storage.keys.write((tx) => tx.settings.put("x", ""));
  assert.equal(await storage.changes.lastSeq(), 81);
});

test("a listener that throws does not undo the commit", async (t) => {
  const errors: unknown[] = [];
  const { storage } = await make.opened(t, {
    onCommit: () => {
      throw new Error("listener");
    },
    logger: { ...make.silent, error: (fields) => errors.push(fields) },
  });
  await storage.keys.write(async (tx) => {
    await tx.users.insert(make.user("usr_1"));
    await tx.audit.append(make.auditDraft());
  });
  assert.equal(errors.length, 1);
  assert.equal((await storage.keys.read.users.all()).length, 1);
});

test("a transaction inside a transaction, or used after its end, is refused as the bug it is", async (t) => {
  const { storage } = await make.opened(t);
  await assert.rejects(
    storage.keys.write(() => storage.keys.write(async () => undefined)),
    /inside another/,
  );
  let leaked: (() => Promise<void>) | undefined;
  await storage.keys.write(async (tx) => {
    leaked = () => tx.users.insert(make.user("usr_1"));
  });
  await assert.rejects(leaked!(), /after its end/);
  assert.equal((await storage.keys.read.users.all()).length, 0);
});

test("a database locked by another program refuses changes, and goes on when it is free", async (t) => {
  const { storage } = await make.opened(t, { busyTimeoutMs: 20 });
  const other = connect({ file: storage.file, readOnly: false });
  t.after(() => other.destroy());
  await other.raw("BEGIN EXCLUSIVE");
  await assert.rejects(
    storage.keys.write((tx) => tx.users.insert(make.user("usr_1"))),
    unavailable,
  );
  // In WAL mode readers are not held up.
  assert.deepEqual(await storage.keys.read.users.all(), []);
  await other.raw("ROLLBACK");
  await storage.keys.write((tx) => tx.users.insert(make.user("usr_1")));
  assert.equal((await storage.keys.read.users.all()).length, 1);
});

test("changes that have waited behind one for a locked database are refused with it, and do not wait once more", async (t) => {
  const { storage } = await make.opened(t, { busyTimeoutMs: 20 });
  const other = connect({ file: storage.file, readOnly: false });
  t.after(() => other.destroy());
  await other.raw("BEGIN EXCLUSIVE");
  const change = (name: string) => storage.keys.write((tx) => tx.settings.put(name, name));
  const first = change("first");
  const behind = [change("second"), change("third")];
  const after: Promise<void>[] = [];
  const free = assert.rejects(first, unavailable).then(async () => {
    await other.raw("ROLLBACK");
    after.push(change("fourth"));
  });
  for (const each of behind) await assert.rejects(each, unavailable);
  await free;
  await Promise.all(after);
  assert.deepEqual([...(await storage.keys.read.settings.all()).keys()], ["fourth"]);
});

test("a full disk refuses the change whole, keeps the rest and goes on when there is space", async (t) => {
  // The database is given a few pages only, which is how SQLite sees a full disk.
  const small = {
    version: MIGRATIONS.length + 1,
    name: "small",
    statements: () => ["PRAGMA max_page_count = 120"],
  };
  const { storage } = await make.opened(t, { migrations: [...MIGRATIONS, small] });
  const note = "x".repeat(2000);
  let stored = 0;
  const fill = async () => {
    for (;;) {
      await storage.keys.write(async (tx) => {
        await tx.users.insert(make.user(`usr_${stored}_a`, { note }));
        await tx.users.insert(make.user(`usr_${stored}_b`, { note }));
      });
      stored += 1;
    }
  };
  await assert.rejects(fill(), unavailable);
  assert.ok(stored > 3, `${stored}`);
  assert.equal((await storage.keys.read.users.all()).length, stored * 2);
  await storage.checkIntegrity();
  for (let n = 0; n < stored; n++) {
    await storage.keys.write(async (tx) => {
      await tx.users.delete(`usr_${n}_a`);
      await tx.users.delete(`usr_${n}_b`);
    });
  }
  const afterwards = make.user("usr_afterwards", { note });
  await storage.keys.write((tx) => tx.users.insert(afterwards));
  assert.deepEqual(await storage.keys.read.users.all(), [afterwards]);
});

test("an error of the database holds no stored value", async (t) => {
  const { storage } = await make.opened(t);
  const canary = "canary-4711";
  await storage.keys.write((tx) =>
    tx.users.insert(make.user("usr_1", { passwordHash: canary, username: "taken" })),
  );
  await assert.rejects(
    storage.keys.write((tx) =>
      tx.users.insert(make.user("usr_2", { passwordHash: canary, username: "taken" })),
    ),
    (thrown: unknown) => {
      for (let error = thrown; error instanceof Error; error = error.cause) {
        const text = inspect(error, { depth: 9, showHidden: true });
        assert.ok(!text.includes(canary), text);
      }
      return true;
    },
  );
});
