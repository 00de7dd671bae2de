import assert from "node:assert/strict";
import { test } from "node:test";
import { NEW_KEY_HEALTH } from "../../server/core/provider-key.js";
import type { NounTables } from "../../server/storage/keys-store.js";
import * as make from "./fixture.js";

type Heard = readonly (readonly [kind: string, id: string, what: "SET" | "DELETED"])[];

/** A write, and what is heard of it. */
type Write = readonly [write: (tx: NounTables) => Promise<unknown>, heard: Heard];

const sealed = make.providerKey("").sealed;
const newSealed = { ...sealed, vaultKeyVersion: 2 };
const session = { userId: "usr_1", createdAt: 0, expiresAt: 1, ip: "" };
const check = { providerKeyId: "pk_1", at: 1, ok: true, latencyMs: 1, httpStatus: 200, error: "" };

/** Every way to write that a transaction offers. */
const WRITES: Readonly<Record<string, Write>> = {
  "users.insert": [(tx) => tx.users.insert(make.user("usr_9")), [["user", "usr_9", "SET"]]],
  "users.update": [
    (tx) => tx.users.update(make.user("usr_1", { note: "new" })),
    [["user", "usr_1", "SET"]],
  ],
  "users.delete": [(tx) => tx.users.delete("usr_2"), [["user", "usr_2", "DELETED"]]],
  "providers.insert": [
    (tx) => tx.providers.insert(make.provider("prv_9")),
    [["provider", "prv_9", "SET"]],
  ],
  "providers.update": [
    (tx) => tx.providers.update(make.provider("prv_1", { enabled: false })),
    [["provider", "prv_1", "SET"]],
  ],
  // Its models before it: who may see a model is known by its provider.
  "providers.delete": [
    (tx) => tx.providers.delete("prv_2"),
    [
      ["model", "mdl_2", "DELETED"],
      ["provider", "prv_2", "DELETED"],
    ],
  ],
  "models.upsert": [
    (tx) => tx.models.upsert(make.model("mdl_1", "prv_1", { displayName: "new" })),
    [["model", "mdl_1", "SET"]],
  ],
  "models.delete": [(tx) => tx.models.delete("mdl_1"), [["model", "mdl_1", "DELETED"]]],
  "providerKeys.insert": [
    (tx) => tx.providerKeys.insert(make.providerKey("pk_9")),
    [["provider_key", "pk_9", "SET"]],
  ],
  "providerKeys.insertAll": [
    (tx) => tx.providerKeys.insertAll([make.providerKey("pk_8"), make.providerKey("pk_9")]),
    [
      ["provider_key", "pk_8", "SET"],
      ["provider_key", "pk_9", "SET"],
    ],
  ],
  "providerKeys.update": [
    (tx) => tx.providerKeys.update(make.providerKey("pk_1", { weight: 7 })),
    [["provider_key", "pk_1", "SET"]],
  ],
  "providerKeys.reseal": [
    (tx) => tx.providerKeys.reseal([{ id: "pk_1", from: sealed, to: newSealed }]),
    [["provider_key", "pk_1", "SET"]],
  ],
  // The pool, which alone writes health, is where it comes from.
  "providerKeys.saveHealth": [
    (tx) => tx.providerKeys.saveHealth("pk_1", { ...NEW_KEY_HEALTH, failures: 1 }),
    [],
  ],
  "providerKeys.delete": [
    (tx) => tx.providerKeys.delete("pk_1"),
    [["provider_key", "pk_1", "DELETED"]],
  ],
  "clientKeys.insert": [
    (tx) => tx.clientKeys.insert(make.clientKey("ck_9")),
    [["client_key", "ck_9", "SET"]],
  ],
  "clientKeys.insertAll": [
    (tx) => tx.clientKeys.insertAll([make.clientKey("ck_8"), make.clientKey("ck_9")]),
    [
      ["client_key", "ck_8", "SET"],
      ["client_key", "ck_9", "SET"],
    ],
  ],
  "clientKeys.update": [
    (tx) => tx.clientKeys.update(make.clientKey("ck_1", { enabled: false, sealedCopy: sealed })),
    [["client_key", "ck_1", "SET"]],
  ],
  "clientKeys.reseal": [
    (tx) => tx.clientKeys.reseal([{ id: "ck_1", from: sealed, to: newSealed }]),
    [["client_key", "ck_1", "SET"]],
  ],
  // Counters alone: they change with every call.
  "clientKeys.touch": [
    (tx) => tx.clientKeys.touch([{ id: "ck_1", count: 1, lastUsedAt: 1, addresses: [] }]),
    [],
  ],
  "clientKeys.delete": [(tx) => tx.clientKeys.delete("ck_1"), [["client_key", "ck_1", "DELETED"]]],
  "settings.put": [(tx) => tx.settings.put("x", "1"), [["setting", "x", "SET"]]],
  "sessions.insert": [(tx) => tx.sessions.insert({ ...session, id: "ses_9", tokenHash: "h" }), []],
  "sessions.delete": [(tx) => tx.sessions.delete("ses_1"), []],
  "sessions.deleteOfUser": [(tx) => tx.sessions.deleteOfUser("usr_1"), []],
  "sessions.deleteExpired": [(tx) => tx.sessions.deleteExpired(2), []],
  "healthChecks.append": [(tx) => tx.healthChecks.append(check), []],
  "audit.append": [(tx) => tx.audit.append(make.auditDraft()), []],
  "audit.appendAll": [(tx) => tx.audit.appendAll([make.auditDraft()]), []],
};

/** Two users, two providers with a model each, and keys of the first ones. */
async function filled(t: Parameters<typeof make.opened>[0]) {
  const opened = await make.opened(t);
  await opened.storage.keys.write(async (tx) => {
    for (const id of ["usr_1", "usr_2"]) await tx.users.insert(make.user(id));
    for (const n of ["1", "2"]) {
      await tx.providers.insert(make.provider(`prv_${n}`));
      await tx.models.upsert(make.model(`mdl_${n}`, `prv_${n}`));
    }
    await tx.providerKeys.insert(make.providerKey("pk_1"));
    await tx.clientKeys.insert(make.clientKey("ck_1", { sealedCopy: sealed }));
    await tx.sessions.insert({ ...session, id: "ses_1", tokenHash: "first" });
  });
  opened.announced.length = 0;
  return opened;
}

test("every way to write that a transaction offers says below what is heard of it", async (t) => {
  const { storage } = await make.opened(t);
  const offered = await storage.keys.write(async (tx) =>
    Object.entries(tx).flatMap(([noun, table]) => {
      const reads = new Set(Object.keys(storage.keys.read[noun as keyof typeof storage.keys.read]));
      return Object.keys(table).flatMap((name) => (reads.has(name) ? [] : [`${noun}.${name}`]));
    }),
  );
  assert.deepEqual(Object.keys(WRITES).toSorted(), offered.toSorted());
});

for (const [name, [write, heard]] of Object.entries(WRITES)) {
  const what = heard.map(([kind]) => kind).join(" and ") || "nobody";
  test(`${name} is heard by those who follow ${what}, in the log too, and by nobody once it is rolled back`, async (t) => {
    const { storage, announced } = await filled(t);
    const before = await storage.changes.lastSeq();
    const stop = new Error("stop");
    const rolledBack = storage.keys.write(async (tx) => {
      await write(tx);
      throw stop;
    });
    await assert.rejects(rolledBack, stop);
    assert.deepEqual([announced.length, await storage.changes.lastSeq()], [0, before]);

    await storage.keys.write(write);
    assert.deepEqual(
      announced.map(({ kind, id, value }) => [kind, id, value === null ? "DELETED" : "SET"]),
      heard,
    );
    assert.deepEqual(
      (await storage.changes.after(before, 10)).map(({ seq, kind, id, deleted }) => [
        seq - before,
        kind,
        id,
        deleted ? "DELETED" : "SET",
      ]),
      heard.map((each, index) => [index + 1, ...each]),
    );
  });
}
