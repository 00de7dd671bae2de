import assert from "node:assert/strict";
import { test } from "node:test";
import { Fault } from "../../server/core/fault.js";
import { UNLIMITED } from "../../server/core/limits.js";
import { ADDRESSES_PER_KEY_MAX } from "../../server/storage/client-key-uses.js";
import * as make from "./fixture.js";

const isFault = (code: string) => (thrown: unknown) => {
  assert.ok(thrown instanceof Fault, String(thrown));
  assert.equal(thrown.code, code);
  return true;
};

test("every noun reads back as it was written", async (t) => {
  const { storage } = await make.opened(t);
  const user = make.user("usr_1", {
    username: "Zoë",
    email: "zoe@example.com",
    lockedUntil: 5,
    places: [{ place: "192.0.2.1", signedInAt: 1, failedLogins: 2, lockedUntil: 5 }],
  });
  const banned = make.user("usr_2", {
    state: "BANNED",
    banReason: "垃圾邮件",
    note: "calls at night",
    limits: { ...UNLIMITED, concurrency: 3 },
    version: 4,
  });
  const provider = make.provider("prv_1", { createdBy: "usr_1", custom: true });
  const model = make.model("mdl_1", "prv_1", { aliases: ["fast", "快"] });
  const providerKey = make.providerKey("pk_1", {
    service: "qwen",
    modelAllowlist: ["gpt-4*"],
    quota: { period: "DAY", requests: 5, tokens: null, costMicros: 9_007_199_254_740_991 },
    expiresAt: make.START_MS + 1,
    secretAt: make.START_MS - 1,
  });
  const clientKey = make.clientKey("ck_1", {
    sealedCopy: {
      vaultKeyVersion: 2,
      ciphertext: Uint8Array.from([0, 255]),
      rowMac: new Uint8Array(0),
    },
    ipAllowlist: ["10.0.0.0/8"],
    scopes: ["chat", "control"],
    limits: {
      requestsPerMinute: 3,
      tokensPerMinute: null,
      concurrency: null,
      budgets: [
        { period: "DAY", costMicros: 1, tokens: null },
        { period: "MONTH", costMicros: null, tokens: 9 },
      ],
    },
  });
  await storage.keys.write(async (tx) => {
    await tx.users.insert(user);
    await tx.users.insert(banned);
    await tx.sessions.insert({
      id: "ses_1",
      userId: "usr_1",
      tokenHash: "hash",
      createdAt: 1,
      expiresAt: 2,
      ip: "::1",
    });
    await tx.providers.insert(provider);
    await tx.models.upsert(model);
    await tx.providerKeys.insert(providerKey);
    await tx.clientKeys.insert(clientKey);
    await tx.settings.put("pool.strategy", '"score_based"');
  });
  const { read } = storage.keys;
  // The driver's Buffers become plain byte arrays.
  const plain = structuredClone;
  assert.deepEqual(await read.users.get("usr_1"), user);
  assert.deepEqual(await read.users.get("usr_2"), banned);
  assert.deepEqual(await read.users.byUsername("zoë"), user);
  assert.deepEqual(await read.users.byEmail("ZOE@example.com"), user);
  assert.equal((await read.sessions.byTokenHash("hash"))?.userId, "usr_1");
  assert.equal((await read.sessions.ofUser("usr_1")).length, 1);
  assert.deepEqual(await read.providers.bySlug("slug-prv_1"), provider);
  assert.deepEqual(await read.models.all(), [model]);
  assert.deepEqual(await read.models.ofProvider("prv_1"), [model]);
  assert.deepEqual(await read.models.ofProvider("prv_2"), []);
  const ids = await read.models.idsOf("prv_1", ["none", model.modelId, 'no"ne']);
  assert.deepEqual([...ids], [[model.modelId, "mdl_1"]]);
  assert.equal((await read.models.idsOf("prv_2", [model.modelId])).size, 0);
  assert.deepEqual(plain(await read.providerKeys.byFingerprint("fingerprint-pk_1")), providerKey);
  assert.deepEqual(plain(await read.clientKeys.get("ck_1")), clientKey);
  assert.deepEqual([...(await read.settings.all())], [["pool.strategy", '"score_based"']]);
});

test("what must be unique is, and the refusal names the field", async (t) => {
  const { storage } = await make.opened(t);
  await storage.keys.write(async (tx) => {
    await tx.users.insert(make.user("usr_1", { username: "Admin" }));
    await tx.providers.insert(make.provider("prv_1"));
    await tx.providerKeys.insert(make.providerKey("pk_1"));
    await tx.clientKeys.insert(make.clientKey("ck_1", { kind: "BYOR" }));
  });
  const attempts = [
    ["username", (tx) => tx.users.insert(make.user("usr_2", { username: "admin" }))],
    ["slug", (tx) => tx.providers.insert(make.provider("prv_2", { slug: "slug-prv_1" }))],
    [
      "secret",
      (tx) => tx.providerKeys.insert(make.providerKey("pk_2", { fingerprint: "fingerprint-pk_1" })),
    ],
    ["name", (tx) => tx.providerKeys.insert(make.providerKey("pk_2", { name: "key pk_1" }))],
    ["secret", (tx) => tx.clientKeys.insert(make.clientKey("ck_2", { mac: "mac-ck_1" }))],
    ["kind", (tx) => tx.clientKeys.insert(make.clientKey("ck_2", { kind: "BYOR" }))],
  ] satisfies [string, Parameters<typeof storage.keys.write>[0]][];
  for (const [field, attempt] of attempts) {
    await assert.rejects(storage.keys.write(attempt), (thrown: unknown) => {
      assert.ok(thrown instanceof Fault);
      assert.equal(thrown.code, "already_exists");
      assert.equal(thrown.violations[0]?.field, field);
      return true;
    });
  }
  assert.equal((await storage.keys.read.users.all()).length, 1);
});

test("nothing is left hanging: owners and providers with keys cannot be deleted", async (t) => {
  const { storage } = await make.opened(t);
  await storage.keys.write(async (tx) => {
    await tx.users.insert(make.user("usr_1"));
    await tx.providers.insert(make.provider("prv_1"));
    await tx.providerKeys.insert(make.providerKey("pk_1"));
  });
  const write = storage.keys.write.bind(storage.keys);
  await assert.rejects(
    write((tx) => tx.users.delete("usr_1")),
    isFault("failed_precondition"),
  );
  await assert.rejects(
    write((tx) => tx.providers.delete("prv_1")),
    isFault("failed_precondition"),
  );
  await assert.rejects(
    write((tx) => tx.providerKeys.insert(make.providerKey("pk_2", { ownerId: "usr_9" }))),
    isFault("failed_precondition"),
  );
  await assert.rejects(
    write((tx) => tx.users.update(make.user("usr_9"))),
    isFault("not_found"),
  );
  await assert.rejects(
    write((tx) => tx.clientKeys.delete("ck_9")),
    isFault("not_found"),
  );
});

test("a throw rolls everything back, and nothing of it is announced", async (t) => {
  const { storage, announced } = await make.opened(t);
  const failing = storage.keys.write(async (tx) => {
    await tx.users.insert(make.user("usr_1"));
    await tx.audit.append(make.auditDraft());
    throw new Error("stop");
  });
  await assert.rejects(failing, /stop/);
  assert.deepEqual(await storage.keys.read.users.all(), []);
  assert.deepEqual(await storage.keys.read.audit.after(0, 10), []);
  assert.deepEqual(announced, []);
});

test("many keys that come in one statement are stored as one by one, or none of them", async (t) => {
  const { storage } = await make.opened(t);
  const providerKeys = [1, 2, 3].map((n) =>
    make.providerKey(`pk_${n}`, { name: `"名"\n${n}`, expiresAt: n === 2 ? 9 : null }),
  );
  const clientKeys = [1, 2, 3].map((n) =>
    make.clientKey(`ck_${n}`, n === 2 ? { sealedCopy: null, expiresAt: 7 } : {}),
  );
  const twin = { ...make.providerKey("pk_9"), fingerprint: "fingerprint-pk_2" };
  await storage.keys.write(async (tx) => {
    await tx.users.insert(make.user("usr_1"));
    await tx.providers.insert(make.provider("prv_1"));
    await tx.providerKeys.insertAll(providerKeys);
    await tx.clientKeys.insertAll(clientKeys);
    await tx.clientKeys.insertAll([]);
  });
  const { read } = storage.keys;
  assert.deepEqual(structuredClone(await read.providerKeys.all()), providerKeys);
  assert.deepEqual(structuredClone(await read.clientKeys.ofOwner("usr_1")), clientKeys);
  assert.equal((await read.providerKeys.ofProvider("prv_1")).length, 3);
  assert.deepEqual(await read.providerKeys.ofProvider("prv_2"), []);
  const expiring = async (afterMs: number, untilMs: number) =>
    (await read.providerKeys.expiringWithin(afterMs, untilMs)).map(({ id }) => id);
  assert.deepEqual([await expiring(8, 9), await expiring(9, 20)], [["pk_2"], []]);
  await assert.rejects(
    storage.keys.write((tx) => tx.providerKeys.insertAll([make.providerKey("pk_8"), twin])),
    { code: "already_exists" },
  );
  assert.equal(await read.providerKeys.get("pk_8"), undefined);
  assert.deepEqual(
    [...(await read.providerKeys.namesOf("usr_1"))],
    providerKeys.map((key) => key.name),
  );
  const name = providerKeys[0]?.name ?? "";
  assert.equal(await read.providerKeys.hasName("usr_1", name), true);
  assert.equal(await read.providerKeys.hasName("usr_1", "other"), false);
  assert.equal(await read.providerKeys.hasName("usr_2", name), false);
  assert.equal(await read.providerKeys.countOf("usr_1"), providerKeys.length);
  assert.equal(await read.providerKeys.countOf("usr_2"), 0);
  const stored = await read.providerKeys.byFingerprints(["fingerprint-pk_2", "fingerprint-pk_8"]);
  assert.deepEqual(
    [...stored],
    [["fingerprint-pk_2", { id: "pk_2", name: providerKeys[1]?.name, ownerId: "usr_1" }]],
  );
  assert.deepEqual([...(await read.clientKeys.storedMacs(["mac-ck_3", "mac-ck_4"]))], ["mac-ck_3"]);
});

test("health and use counters leave version and update time alone", async (t) => {
  const { storage } = await make.opened(t);
  await storage.keys.write(async (tx) => {
    await tx.users.insert(make.user("usr_1"));
    await tx.providers.insert(make.provider("prv_1"));
    await tx.providerKeys.insert(make.providerKey("pk_1"));
    await tx.clientKeys.insert(make.clientKey("ck_1"));
    await tx.clientKeys.insert(make.clientKey("ck_2"));
    await tx.providerKeys.saveHealth("pk_1", {
      ...make.providerKey("pk_1").health,
      state: "COOLDOWN",
      cooldownUntil: 7,
      successes: 41,
    });
    await tx.clientKeys.touch([
      { id: "ck_1", count: 3, lastUsedAt: 100, addresses: [] },
      { id: "ck_gone", count: 1, lastUsedAt: 1, addresses: ["10.0.0.1"] },
    ]);
    await tx.clientKeys.touch([{ id: "ck_1", count: 2, lastUsedAt: 50, addresses: [] }]);
  });
  const key = await storage.keys.read.providerKeys.get("pk_1");
  assert.equal(key?.health.state, "COOLDOWN");
  assert.equal(key?.health.successes, 41);
  assert.equal(key?.version, 1);
  const client = await storage.keys.read.clientKeys.get("ck_1");
  assert.deepEqual([client?.usageCount, client?.lastUsedAt, client?.version], [5, 100, 1]);
  assert.equal((await storage.keys.read.clientKeys.get("ck_2"))?.usageCount, 0);
});

test("the first address of a key is no news, each later one is, and of IPv6 the network counts", async (t) => {
  const { storage } = await make.opened(t);
  await storage.keys.write(async (tx) => {
    await tx.users.insert(make.user("usr_1"));
    await tx.clientKeys.insert(make.clientKey("ck_1"));
  });
  const use = async (lastUsedAt: number, ...addresses: string[]) => {
    const uses = [
      { id: "ck_gone", count: 1, lastUsedAt, addresses },
      { id: "ck_1", count: 1, lastUsedAt, addresses },
    ];
    await storage.keys.write((tx) => tx.clientKeys.touch(uses));
    const key = await storage.keys.read.clientKeys.get("ck_1");
    return [key?.lastUsedIp, key?.newAddressAt];
  };
  assert.deepEqual(await use(1, "10.0.0.1"), ["10.0.0.1", null]);
  assert.deepEqual(await use(2, "10.0.0.1"), ["10.0.0.1", null]);
  assert.deepEqual(await use(3, "2001:db8::1"), ["2001:db8::1", 3]);
  assert.deepEqual(await use(4, "2001:db8::2", "10.0.0.1"), ["10.0.0.1", 3]);
  assert.deepEqual(await use(5, "2001:db8:0:1::1", "10.0.0.1"), ["10.0.0.1", 5]);
  assert.deepEqual(await use(2, "10.0.0.2"), ["10.0.0.1", 2], "written late");
  await storage.keys.write((tx) => tx.clientKeys.delete("ck_1"));
  assert.deepEqual(await use(9, "10.0.0.1"), [undefined, undefined]);
});

test("of a key used from ever new addresses the newest are remembered", async (t) => {
  const { storage } = await make.opened(t);
  await storage.keys.write(async (tx) => {
    await tx.users.insert(make.user("usr_1"));
    await tx.clientKeys.insert(make.clientKey("ck_1"));
    for (let at = 0; at <= ADDRESSES_PER_KEY_MAX; at++) {
      await tx.clientKeys.touch([
        { id: "ck_1", count: 1, lastUsedAt: at, addresses: [`10.0.0.${at}`] },
      ]);
    }
  });
  const newAt = async (lastUsedAt: number, address: string) => {
    const uses = [{ id: "ck_1", count: 1, lastUsedAt, addresses: [address] }];
    await storage.keys.write((tx) => tx.clientKeys.touch(uses));
    return (await storage.keys.read.clientKeys.get("ck_1"))?.newAddressAt;
  };
  assert.equal(await newAt(100, "10.0.0.1"), ADDRESSES_PER_KEY_MAX, "known");
  assert.equal(await newAt(101, "10.0.0.0"), 101, "forgotten");
});

test("only the last ten health checks of a key are kept, newest first", async (t) => {
  const { storage } = await make.opened(t);
  await storage.keys.write(async (tx) => {
    await tx.users.insert(make.user("usr_1"));
    await tx.providers.insert(make.provider("prv_1"));
    await tx.providerKeys.insert(make.providerKey("pk_1"));
    for (let at = 1; at <= 13; at++) {
      await tx.healthChecks.append({
        providerKeyId: "pk_1",
        at,
        ok: at % 2 === 0,
        latencyMs: 1.4,
        httpStatus: null,
        error: "x".repeat(500),
      });
    }
  });
  const checks = await storage.keys.read.healthChecks.ofKey("pk_1");
  assert.deepEqual(
    checks.map((check) => check.at),
    [13, 12, 11, 10, 9, 8, 7, 6, 5, 4],
  );
  assert.equal(checks[0]?.error.length, 200);
});

test("what counts of all client keys comes in chunks, each once", async (t) => {
  const { storage } = await make.opened(t);
  await storage.keys.write(async (tx) => {
    await tx.users.insert(make.user("usr_1"));
    for (let i = 0; i < 25; i++) {
      const marks = { previousMac: `p${i}`, graceUntil: i, revokedAt: i + 1, expiresAt: i + 2 };
      const rules = {
        modelAllowlist: ["gpt-*"],
        ipAllowlist: ["10.0.0.0/8"],
        scopes: ["chat" as const],
        limits: { ...UNLIMITED, concurrency: i },
      };
      const part = i % 2 === 0 ? { ...marks, ...rules, enabled: false } : {};
      await tx.clientKeys.insert(make.clientKey(`ck_${i}`, { ...part, name: `"名"${i}` }));
    }
  });
  const sizes: number[] = [];
  const ids = new Set<string>();
  for await (const chunk of storage.keys.read.clientKeys.knownChunks(10)) {
    sizes.push(chunk.length);
    for (const key of chunk) {
      ids.add(key.id);
      const whole = await storage.keys.read.clientKeys.get(key.id);
      assert.deepEqual({ ...whole, ...key }, whole);
      assert.equal(Object.keys(key).length, 16);
    }
  }
  assert.deepEqual(sizes, [10, 10, 5]);
  assert.equal(ids.size, 25);
});

test("the keyring is replaced as a whole and is never emptied", async (t) => {
  const { storage } = await make.opened(t);
  const key = (version: number) => ({
    purpose: "PEPPER" as const,
    version,
    publicKey: null,
    wrapped: Uint8Array.from([version]),
    rootKeyId: "root",
    createdAt: 1,
    retiredAt: null,
  });
  await storage.keyring.saveKeyring([key(1)]);
  await storage.keyring.saveKeyring([key(1), key(2)]);
  assert.deepEqual(
    (await storage.keyring.loadKeyring()).map(({ version }) => version),
    [1, 2],
  );
  await assert.rejects(storage.keyring.saveKeyring([]), isFault("failed_precondition"));
  assert.equal((await storage.keyring.loadKeyring()).length, 2);
});

test("keys are counted by owner and models by provider in one question, as lists of each count them", async (t) => {
  const { storage } = await make.opened(t);
  const { read } = storage.keys;
  const owners = ["usr_1", "usr_2", "usr_3"];
  await storage.keys.write(async (tx) => {
    for (const id of owners) await tx.users.insert(make.user(id));
    for (const id of ["prv_1", "prv_2"]) await tx.providers.insert(make.provider(id));
    await tx.models.upsert(make.model("mdl_1", "prv_2", { modelId: "one" }));
    await tx.models.upsert(make.model("mdl_2", "prv_2", { modelId: "two" }));
    for (const [at, ownerId] of ["usr_1", "usr_1", "usr_2"].entries()) {
      const kind = at === 1 ? "SUPER" : "STANDARD";
      await tx.clientKeys.insert(make.clientKey(`ck_${at}`, { ownerId, kind }));
    }
  });
  const owned = await read.users.ownedKeys([...owners, "usr_none"]);
  const counts = [...owned].map(([id, it]) => [id, it.clientKeys, it.superClientKeys]);
  assert.deepEqual(counts.toSorted(), [
    ["usr_1", 2, 1],
    ["usr_2", 1, 0],
    ["usr_3", 0, 0],
  ]);
  assert.deepEqual([...(await read.models.countByProvider(["prv_1", "prv_2"]))], [["prv_2", 2]]);
  assert.deepEqual([...(await read.users.ownedKeys([]))], []);
});

test("the last use of a key is not that of a clock which was a year ahead", async (t) => {
  const { storage } = await make.opened(t);
  await storage.keys.write(async (tx) => {
    await tx.users.insert(make.user("usr_1"));
    await tx.clientKeys.insert(make.clientKey("ck_1"));
  });
  const used = async (lastUsedAt: number, address: string) => {
    const use = { id: "ck_1", count: 1, lastUsedAt, addresses: [address] };
    await storage.keys.write((tx) => tx.clientKeys.touch([use]));
    const key = await storage.keys.read.clientKeys.get("ck_1");
    return [key?.lastUsedAt, key?.lastUsedIp];
  };
  const year = 365 * 24 * 3_600_000;
  assert.deepEqual(await used(1000, "10.0.0.1"), [1000, "10.0.0.1"]);
  assert.deepEqual(await used(year, "10.0.0.2"), [year, "10.0.0.2"]);
  assert.deepEqual(await used(2000, "10.0.0.3"), [2000, "10.0.0.3"]);
  assert.deepEqual(await used(1500, "10.0.0.4"), [2000, "10.0.0.3"], "written late");
});
