import assert from "node:assert/strict";
import test from "node:test";
import { previewOf, Secret } from "../core/secret.js";
import { EVERYTHING, lastEvent, refused, startWorld, type World } from "./testing/world.js";
import type { Actor } from "../core/audit.js";

const SECRET = "sk-proj-abcdefghijklmnop-xyz";
const draft = (name = "main", secret = SECRET) => ({
  providerId: "prv_openai",
  name,
  secret: new Secret(secret),
});
const openAs = (world: World, id: string) => {
  const key = world.store.tables.providerKeys.get(id);
  const provider = world.store.tables.providers.get(key?.providerId ?? "");
  assert(key !== undefined && provider !== undefined);
  return world.vault.open(key.sealed, {
    recordId: key.id,
    ownerId: key.ownerId,
    providerId: key.providerId,
    origin: new URL(provider.baseUrl).origin,
    visibility: key.visibility,
  });
};

test("a secret is stored sealed to its row, private by default, with a preview alone to see", async () => {
  const world = await startWorld();
  const key = await world.providerKeys.create(world.alice, draft(" main ", ` ${SECRET}\n`));
  assert.equal(key.name, "main");
  assert.equal(key.visibility, "PRIVATE");
  assert.equal(key.tier, "PRIMARY");
  assert.equal(key.enabled, true);
  assert.equal(key.health.state, "UNKNOWN");
  assert.equal(key.preview, previewOf(SECRET));
  assert.equal((await openAs(world, key.id)).reveal(), SECRET);
  assert.ok(!JSON.stringify(world.store.tables.audit).includes(SECRET));
  assert.deepEqual(world.changes.at(-1)?.value, key);
});

test("the same secret twice is refused, whoever owns it; only who may see it learns which it is", async () => {
  const world = await startWorld();
  const key = await world.providerKeys.create(world.alice, draft());
  const own = await refused("already_exists", () =>
    world.providerKeys.create(world.alice, draft("b")),
  );
  assert.match(own.publicMessage, new RegExp(key.id));
  const other = await refused("already_exists", () =>
    world.providerKeys.create(world.bob, draft()),
  );
  assert.doesNotMatch(other.publicMessage, new RegExp(key.id));
});

test("names are unique per owner, after trimming and in NFC", async () => {
  const world = await startWorld();
  await world.providerKeys.create(world.alice, draft("café"));
  const again = await refused("already_exists", () =>
    world.providerKeys.create(world.alice, draft(" cafe\u0301 ", "sk-another-secret-000")),
  );
  assert.equal(again.violations[0]?.field, "name");
  const key = await world.providerKeys.create(world.bob, draft("café", "sk-another-secret-000"));
  const second = await world.providerKeys.create(world.bob, draft("tea", "sk-another-secret-001"));
  await refused("already_exists", () =>
    world.providerKeys.update(world.bob, second.id, { name: "café" }),
  );
  await world.providerKeys.update(world.bob, key.id, { name: "café", description: "same name" });
});

test("names and descriptions in any script survive", async () => {
  const world = await startWorld();
  const key = await world.providerKeys.create(world.alice, {
    ...draft("阿里云通义万相 🔑"),
    description: "第一行\n第二行",
  });
  const stored = await world.providerKeys.get(world.alice, key.id);
  assert.equal(stored.name, "阿里云通义万相 🔑");
  assert.equal(stored.description, "第一行\n第二行");
});

test("bad fields are refused by name, without the secret in the message", async () => {
  const world = await startWorld();
  const field = async (part: object): Promise<string | undefined> => {
    const fault = await refused("invalid_argument", () =>
      world.providerKeys.create(world.alice, { ...draft(), ...part }),
    );
    assert.ok(!fault.message.includes("sk-"));
    return fault.violations[0]?.field;
  };
  assert.equal(await field({ name: "" }), "name");
  assert.equal(await field({ name: "键".repeat(101) }), "name");
  assert.equal(await field({ secret: new Secret("  ") }), "secret");
  assert.equal(await field({ secret: new Secret("sk-a b") }), "secret");
  assert.equal(await field({ secret: new Secret("sk-ü") }), "secret");
  assert.equal(await field({ secret: new Secret("x".repeat(8193)) }), "secret");
  assert.equal(await field({ tier: "SECONDARY" }), "tier");
  assert.equal(await field({ weight: 0 }), "weight");
  assert.equal(await field({ weight: 1001 }), "weight");
  assert.equal(await field({ visibility: "TEAM" }), "visibility");
  assert.equal(await field({ anonymous: true }), "anonymous");
  assert.equal(await field({ expiresAt: world.clock.now() - 1 }), "expires_at");
  assert.equal(
    await field({ modelAllowlist: Array.from({ length: 201 }, () => "m") }),
    "model_allowlist",
  );
  const quota = { period: "DAY", requests: -1, tokens: null, costMicros: null };
  assert.equal(await field({ quota }), "quota.requests");
});

test("a key needs a provider that its owner may use, and a service that the provider has", async () => {
  const world = await startWorld();
  const { providerKeys: keys, alice, bob } = world;
  await refused("not_found", () => keys.create(alice, { ...draft(), providerId: "prv_none" }));
  const mine = await world.providers.create(bob, {
    displayName: "Bob's",
    baseUrl: "https://b.test",
  });
  await refused("not_found", () => keys.create(alice, { ...draft(), providerId: mine.id }));
  await keys.create(bob, { ...draft(), providerId: mine.id, service: "anything" });
  const fault = await refused("invalid_argument", () =>
    keys.create(alice, { ...draft("x", "sk-some-other-secret"), service: "wanx" }),
  );
  assert.match(fault.publicMessage, /dalle/);
  const dalle = await keys.create(alice, {
    ...draft("x", "sk-some-other-secret"),
    service: "dalle",
  });
  await refused("invalid_argument", () => keys.update(alice, dalle.id, { service: "wanx" }));
  assert.equal((await keys.update(alice, dalle.id, { service: "" })).service, null);
});

test("only an admin stores keys for others", async () => {
  const world = await startWorld();
  const ownerId = world.bob.userId ?? "";
  for (const actor of [world.alice, world.operator]) {
    await refused("not_found", () => world.providerKeys.create(actor, { ...draft(), ownerId }));
  }
  const key = await world.providerKeys.create(world.root, { ...draft(), ownerId });
  assert.equal(key.ownerId, ownerId);
});

test("another owner's key is not found by users; operators see, enable and disable it", async () => {
  const world = await startWorld();
  const { id } = await world.providerKeys.create(world.bob, draft());
  const keys = world.providerKeys;
  const attempts = (actor: Actor) => [
    () => keys.update(actor, id, { name: "x" }),
    () => keys.rotate(actor, id, new Secret("sk-attacker-secret-1")),
    () => keys.delete(actor, id),
    () => keys.setVisibility(actor, id, "PUBLIC", false),
    () => keys.reveal(actor, id),
  ];
  for (const attempt of [
    ...attempts(world.alice),
    ...attempts(world.operator),
    () => keys.get(world.alice, id),
    () => keys.enable(world.alice, id),
    () => keys.disable(world.alice, id),
    () => keys.permitted(world.alice, "provider_key.test", id),
    () => keys.reveal(world.root, id),
  ]) {
    await refused("not_found", attempt);
    assert.equal(lastEvent(world).outcome, "DENIED");
  }
  assert.equal((await keys.get(world.operator, id)).id, id);
  assert.equal((await keys.disable(world.operator, id)).enabled, false);
  assert.equal((await keys.enable(world.operator, id)).enabled, true);
  assert.equal((await keys.permitted(world.operator, "provider_key.test", id)).id, id);
  assert.equal((await keys.list(world.alice, EVERYTHING)).total, 0);
  assert.equal((await keys.list(world.operator, EVERYTHING)).total, 1);
});

test("a filter cannot widen a user's listing", async () => {
  const world = await startWorld();
  await world.providerKeys.create(world.bob, draft());
  const query = {
    ...EVERYTHING,
    conditions: [{ field: "owner_id", op: "=" as const, value: world.bob.userId ?? "" }],
  };
  assert.equal((await world.providerKeys.list(world.alice, query)).total, 0);
});

test("an update tells the names of what changed", async () => {
  const world = await startWorld();
  const key = await world.providerKeys.create(world.alice, draft());
  const next = await world.providerKeys.update(
    world.alice,
    key.id,
    { tier: "BACKUP", weight: 5, modelAllowlist: ["gpt-*", "gpt-*"], quotaGroup: " g " },
    key.version,
  );
  assert.deepEqual(next.modelAllowlist, ["gpt-*"]);
  assert.equal(next.quotaGroup, "g");
  assert.deepEqual(lastEvent(world).changedFields, [
    "model_allowlist",
    "tier",
    "weight",
    "quota_group",
  ]);
  await refused("conflict", () =>
    world.providerKeys.update(world.alice, key.id, { weight: 6 }, key.version),
  );
});

test("an expiry that has passed meanwhile can be sent back unchanged", async () => {
  const world = await startWorld();
  const expiresAt = world.clock.now() + 1000;
  const key = await world.providerKeys.create(world.alice, { ...draft(), expiresAt });
  world.clock.advance(2000);
  await world.providerKeys.update(world.alice, key.id, { expiresAt, description: "late" });
  await refused("invalid_argument", () =>
    world.providerKeys.update(world.alice, key.id, { expiresAt: expiresAt - 1 }),
  );
});

test("a rotation replaces the secret, starts health anew and refuses a secret that is known", async () => {
  const world = await startWorld();
  const key = await world.providerKeys.create(world.alice, draft());
  await world.providerKeys.create(world.alice, draft("second", "sk-second-secret-0001"));
  await world.store.write((tx) =>
    tx.providerKeys.saveHealth(key.id, { ...key.health, state: "INVALID", failures: 9 }),
  );
  await refused("already_exists", () =>
    world.providerKeys.rotate(world.alice, key.id, new Secret("sk-second-secret-0001")),
  );
  const next = await world.providerKeys.rotate(
    world.alice,
    key.id,
    new Secret("sk-third-secret-0001"),
  );
  assert.equal(next.health.state, "UNKNOWN");
  assert.notEqual(next.fingerprint, key.fingerprint);
  assert.equal((await openAs(world, key.id)).reveal(), "sk-third-secret-0001");
  assert.ok(lastEvent(world).changedFields.includes("secret"));
  await world.providerKeys.rotate(world.alice, key.id, new Secret("sk-third-secret-0001"));
});

test("enabling tries an invalid key again", async () => {
  const world = await startWorld();
  const key = await world.providerKeys.create(world.alice, draft());
  await world.store.write((tx) =>
    tx.providerKeys.saveHealth(key.id, { ...key.health, state: "INVALID" }),
  );
  const next = await world.providerKeys.enable(world.alice, key.id);
  assert.equal(next.health.state, "UNKNOWN");
});

test("donating binds the secret to its new audience, and needs an unlocked vault", async () => {
  const world = await startWorld();
  const key = await world.providerKeys.create(world.alice, draft());
  const donated = await world.providerKeys.setVisibility(world.alice, key.id, "PUBLIC", true);
  assert.equal(donated.visibility, "PUBLIC");
  assert.equal(donated.anonymous, true);
  assert.equal((await openAs(world, key.id)).reveal(), SECRET);
  await refused("invalid_argument", () =>
    world.providerKeys.setVisibility(world.alice, key.id, "PRIVATE", true),
  );
  world.vault.state = "LOCKED";
  await refused("vault_locked", () =>
    world.providerKeys.setVisibility(world.alice, key.id, "PRIVATE", false),
  );
});

test("a visibility that was flipped in the database makes the secret unreadable", async () => {
  const world = await startWorld();
  const key = await world.providerKeys.create(world.alice, draft());
  world.store.tables.providerKeys.set(key.id, { ...key, visibility: "PUBLIC" });
  await refused("secret_unreadable", () => openAs(world, key.id));
  await refused("secret_unreadable", () => world.providerKeys.reveal(world.alice, key.id));
});

test("a deleted key is gone from the store and announced", async () => {
  const world = await startWorld();
  const key = await world.providerKeys.create(world.alice, draft());
  await refused("conflict", () => world.providerKeys.delete(world.alice, key.id, 7));
  await world.providerKeys.delete(world.alice, key.id);
  assert.equal(world.changes.at(-1)?.value, null);
  await refused("not_found", () => world.providerKeys.get(world.alice, key.id));
  await world.providerKeys.create(world.alice, draft());
});

test("a secret is shown to its owner, audited first; who signed in with a password gives it again", async () => {
  const world = await startWorld();
  const key = await world.providerKeys.create(world.alice, draft());
  assert.equal((await world.providerKeys.reveal(world.alice, key.id)).reveal(), SECRET);
  assert.equal(lastEvent(world).action, "provider_key.reveal");
  const signedIn: Actor = { ...world.alice, via: "SESSION" };
  await refused("invalid_argument", () => world.providerKeys.reveal(signedIn, key.id));
  await refused("login_failed", () =>
    world.providerKeys.reveal(signedIn, key.id, new Secret("wrong password")),
  );
  const shown = await world.providerKeys.reveal(signedIn, key.id, new Secret("alice 1234"));
  assert.equal(shown.reveal(), SECRET);
  await refused("permission_denied", () =>
    world.providerKeys.reveal({ ...world.alice, via: "CLIENT_KEY" }, key.id),
  );
});

test("secrets are taken while the vault is locked, and get their fingerprint after the unlock", async () => {
  const world = await startWorld();
  const before = await world.providerKeys.create(world.alice, draft());
  world.vault.state = "LOCKED";
  const fresh = await world.providerKeys.create(
    world.alice,
    draft("fresh", "sk-fresh-secret-00001"),
  );
  const twin = await world.providerKeys.create(world.alice, draft("twin"));
  world.vault.state = "UNLOCKED";
  for (const { id, sealed: from } of [fresh, twin]) {
    const fingerprint = world.vault.fingerprint(await openAs(world, id));
    await world.sealedRecords.adopt({ id, from, to: { ...from, vaultKeyVersion: 2 }, fingerprint });
  }
  const stored = (id: string) => world.store.tables.providerKeys.get(id);
  assert.equal(
    stored(fresh.id)?.fingerprint,
    world.vault.fingerprint(await openAs(world, fresh.id)),
  );
  assert.equal(stored(fresh.id)?.enabled, true);
  assert.equal(stored(twin.id)?.enabled, false);
  assert.match(stored(twin.id)?.health.lastError ?? "", /same secret/);
  assert.equal(stored(before.id)?.enabled, true);
  assert.match(lastEvent(world).note, new RegExp(before.id));
});
