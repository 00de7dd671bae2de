import assert from "node:assert/strict";
import test from "node:test";
import type { Actor } from "../core/audit.js";
import { clientKeyState } from "../core/client-key.js";
import { presentedKey } from "../core/presented-key.js";
import { Secret } from "../core/secret.js";
import { CLIENT_KEYS_PER_OWNER_MAX, ROTATION_GRACE_MS_MAX } from "./client-keys.js";
import { EVERYTHING, lastEvent, NOBODY, refused, startWorld } from "./testing/world.js";

const DAY_MS = 86_400_000;

test("a created key authenticates at once, and only its MAC is stored", async () => {
  const world = await startWorld();
  const { clientKey, secret } = await world.clientKeys.create(world.alice, { name: "  laptop " });
  assert.equal(clientKey.name, "laptop");
  assert.equal(clientKey.kind, "STANDARD");
  assert.equal(clientKey.ownerId, world.alice.userId);
  assert.equal(clientKey.sealedCopy, null);
  assert.equal(
    world.directory.authenticate(presentedKey(secret.reveal()), "").clientKey.id,
    clientKey.id,
  );
  const stored = JSON.stringify([...world.store.tables.clientKeys.values()]);
  assert.ok(!stored.includes(secret.reveal()));
  assert.ok(!JSON.stringify(world.store.tables.audit).includes(secret.reveal()));
});

test("a key has the form that was asked for, SK by default", async () => {
  const world = await startWorld();
  for (const format of ["SK", "UUID", "ALNUM32"] as const) {
    const made = await world.clientKeys.create(world.alice, { name: "k", format });
    assert.equal(made.clientKey.format, format);
  }
  assert.equal((await world.clientKeys.create(world.alice, { name: "k" })).clientKey.format, "SK");
});

test("names need not be unique", async () => {
  const world = await startWorld();
  await world.clientKeys.create(world.alice, { name: "same" });
  await world.clientKeys.create(world.alice, { name: "same" });
});

test("bad fields are refused by name", async () => {
  const world = await startWorld();
  const field = async (draft: object): Promise<string | undefined> => {
    const fault = await refused("invalid_argument", () =>
      world.clientKeys.create(world.alice, { name: "x", ...draft }),
    );
    return fault.violations[0]?.field;
  };
  assert.equal(await field({ name: "   " }), "name");
  assert.equal(await field({ name: "x".repeat(101) }), "name");
  assert.equal(await field({ name: "a\u0007b" }), "name");
  assert.equal(await field({ expiresAt: world.clock.now() }), "expires_at");
  assert.equal(await field({ ipAllowlist: ["10.0.0.0/33"] }), "ip_allowlist[0]");
  assert.equal(await field({ modelAllowlist: [""] }), "model_allowlist[0]");
  const limits = { requestsPerMinute: 0, tokensPerMinute: null, concurrency: null, budget: null };
  assert.equal(await field({ limits }), "limits.requests_per_minute");
  const fault = await refused("invalid_argument", () =>
    world.clientKeys.create(world.alice, { name: "x", expiresAt: 1 }),
  );
  assert.match(fault.publicMessage, /Expiration date cannot be in the past/);
});

test("only an admin makes keys for others, and nobody for a banned user", async () => {
  const world = await startWorld();
  const ownerId = world.bob.userId ?? "";
  const forBob = { name: "for bob", ownerId };
  await refused("not_found", () => world.clientKeys.create(world.alice, forBob));
  await refused("not_found", () => world.clientKeys.create(world.operator, forBob));
  assert.equal((await world.clientKeys.create(world.root, forBob)).clientKey.ownerId, ownerId);
  await refused("not_found", () =>
    world.clientKeys.create(world.root, { name: "x", ownerId: "usr_none" }),
  );
  await world.users.ban(world.root, ownerId);
  await refused("user_banned", () => world.clientKeys.create(world.root, forBob));
});

test("super keys are made by admins alone, in the SK format", async () => {
  const world = await startWorld();
  const draft = { name: "pool", ownerId: world.alice.userId ?? "" };
  for (const actor of [world.alice, world.operator]) {
    await refused("permission_denied", () => world.clientKeys.createSuper(actor, draft));
    assert.equal(lastEvent(world).outcome, "DENIED");
    assert.equal(lastEvent(world).action, "client_key.create_super");
  }
  await refused("unauthenticated", () => world.clientKeys.createSuper(NOBODY, draft));
  await refused("invalid_argument", () =>
    world.clientKeys.createSuper(world.root, { ...draft, format: "UUID" }),
  );
  const { clientKey } = await world.clientKeys.createSuper(world.root, draft);
  assert.equal(clientKey.kind, "SUPER");
});

test("the owner of a super key cannot loosen what an admin set", async () => {
  const world = await startWorld();
  const { clientKey } = await world.clientKeys.createSuper(world.root, {
    name: "pool",
    ownerId: world.alice.userId ?? "",
    modelAllowlist: ["gpt-*"],
  });
  const { id } = clientKey;
  await world.clientKeys.update(world.alice, id, { name: "my pool", description: "mine" });
  for (const patch of [
    { modelAllowlist: [] },
    { ipAllowlist: ["10.0.0.1"] },
    { expiresAt: 9e12 },
  ]) {
    await refused("permission_denied", () => world.clientKeys.update(world.alice, id, patch));
  }
  await world.clientKeys.disable(world.root, id);
  await refused("permission_denied", () => world.clientKeys.enable(world.alice, id));
  await world.clientKeys.enable(world.operator, id);
  await world.clientKeys.disable(world.alice, id);
});

test("another owner's key is not found, and the attempt is audited", async () => {
  const world = await startWorld();
  const { clientKey } = await world.clientKeys.create(world.bob, { name: "bob's" });
  const { id } = clientKey;
  const keys = world.clientKeys;
  for (const attempt of [
    () => keys.get(world.alice, id),
    () => keys.update(world.alice, id, { name: "mine now" }),
    () => keys.enable(world.alice, id),
    () => keys.disable(world.alice, id),
    () => keys.revoke(world.alice, id),
    () => keys.rotate(world.alice, id, { graceMs: 0 }),
    () => keys.delete(world.alice, id),
    () => keys.reveal(world.alice, id),
  ]) {
    const before = world.store.tables.audit.length;
    const fault = await refused("not_found", attempt);
    const missing = await refused("not_found", () => keys.get(world.alice, "ck_none"));
    assert.equal(fault.publicMessage.replace(id, "ck_none"), missing.publicMessage);
    const event = world.store.tables.audit.at(before);
    assert.equal(event?.outcome, "DENIED");
    assert.equal(event?.targetId, id);
  }
  assert.deepEqual(await keys.get(world.bob, id), clientKey);
});

test("listings show a user their own keys of all states, and operators everybody's", async () => {
  const world = await startWorld();
  const { clientKey } = await world.clientKeys.create(world.alice, { name: "a" });
  await world.clientKeys.create(world.bob, { name: "b" });
  await world.clientKeys.revoke(world.alice, clientKey.id);
  const own = await world.clientKeys.list(world.alice, EVERYTHING);
  assert.deepEqual(
    own.items.map((key) => key.id),
    [clientKey.id],
  );
  assert.equal((await world.clientKeys.list(world.operator, EVERYTHING)).total, 2);
});

test("an update tells the names of what changed and never the values", async () => {
  const world = await startWorld();
  const { clientKey } = await world.clientKeys.create(world.alice, { name: "a" });
  const patch = { name: "new-name-value", description: "a", ipAllowlist: ["10.1.2.3/8"] };
  const next = await world.clientKeys.update(world.alice, clientKey.id, patch);
  assert.deepEqual(next.ipAllowlist, ["10.0.0.0/8"]);
  assert.equal(next.version, 2);
  const event = lastEvent(world);
  assert.deepEqual(event.changedFields, ["name", "description", "ip_allowlist"]);
  assert.ok(!JSON.stringify(event.changedFields).includes("10.0.0.0"));
});

test("an update that changes nothing leaves the version alone", async () => {
  const world = await startWorld();
  const { clientKey } = await world.clientKeys.create(world.alice, { name: "a" });
  const same = await world.clientKeys.update(world.alice, clientKey.id, { name: "a" });
  assert.deepEqual(same, clientKey);
});

test("an update based on an old version is a conflict", async () => {
  const world = await startWorld();
  const { clientKey } = await world.clientKeys.create(world.alice, { name: "a" });
  await world.clientKeys.update(world.alice, clientKey.id, { name: "b" }, 1);
  await refused("conflict", () =>
    world.clientKeys.update(world.alice, clientKey.id, { name: "c" }, 1),
  );
  await refused("conflict", () => world.clientKeys.delete(world.alice, clientKey.id, 1));
});

test("disabling is reversible, revoking is final and keeps the record", async () => {
  const world = await startWorld();
  const { clientKey, secret } = await world.clientKeys.create(world.alice, { name: "a" });
  const { id } = clientKey;
  const authenticate = () => world.directory.authenticate(presentedKey(secret.reveal()), "");
  await world.clientKeys.disable(world.alice, id);
  await refused("disabled_api_key", authenticate);
  await world.clientKeys.enable(world.alice, id);
  authenticate();
  const revoked = await world.clientKeys.revoke(world.alice, id);
  await refused("revoked_api_key", authenticate);
  assert.equal(clientKeyState(revoked, world.clock.now()), "REVOKED");
  await refused("failed_precondition", () => world.clientKeys.enable(world.alice, id));
  await refused("failed_precondition", () =>
    world.clientKeys.update(world.alice, id, { name: "b" }),
  );
  await refused("failed_precondition", () =>
    world.clientKeys.rotate(world.alice, id, { graceMs: 0 }),
  );
  world.clock.advance(1000);
  assert.equal((await world.clientKeys.revoke(world.alice, id)).revokedAt, revoked.revokedAt);
});

test("a deleted key is gone, and its audit events stay", async () => {
  const world = await startWorld();
  const { clientKey, secret } = await world.clientKeys.create(world.alice, { name: "a" });
  await world.clientKeys.delete(world.alice, clientKey.id);
  await refused("invalid_api_key", () =>
    world.directory.authenticate(presentedKey(secret.reveal()), ""),
  );
  await refused("not_found", () => world.clientKeys.get(world.alice, clientKey.id));
  const events = world.store.tables.audit.filter((event) => event.targetId === clientKey.id);
  assert.deepEqual(
    events.map((event) => event.action),
    ["client_key.create", "client_key.delete"],
  );
});

test("after a rotation without grace only the new secret works", async () => {
  const world = await startWorld();
  const { clientKey, secret } = await world.clientKeys.create(world.alice, { name: "a" });
  const rotated = await world.clientKeys.rotate(world.alice, clientKey.id, { graceMs: 0 });
  await refused("invalid_api_key", () =>
    world.directory.authenticate(presentedKey(secret.reveal()), ""),
  );
  const principal = world.directory.authenticate(presentedKey(rotated.secret.reveal()), "");
  assert.equal(principal.clientKey.id, clientKey.id);
  assert.ok(lastEvent(world).changedFields.includes("secret"));
});

test("during the grace window both secrets work, then only the new one", async () => {
  const world = await startWorld();
  const { clientKey, secret } = await world.clientKeys.create(world.alice, { name: "a" });
  const rotated = await world.clientKeys.rotate(world.alice, clientKey.id, { graceMs: DAY_MS });
  assert.equal(rotated.clientKey.graceUntil, world.clock.now() + DAY_MS);
  world.directory.authenticate(presentedKey(secret.reveal()), "");
  world.directory.authenticate(presentedKey(rotated.secret.reveal()), "");
  world.clock.advance(DAY_MS);
  await refused("revoked_api_key", () =>
    world.directory.authenticate(presentedKey(secret.reveal()), ""),
  );
  world.directory.authenticate(presentedKey(rotated.secret.reveal()), "");
});

test("a rotation can give an expired key a new expiry, and is refused without", async () => {
  const world = await startWorld();
  const expiresAt = world.clock.now() + DAY_MS;
  const { clientKey } = await world.clientKeys.create(world.alice, { name: "a", expiresAt });
  world.clock.advance(2 * DAY_MS);
  const { id } = clientKey;
  await refused("failed_precondition", () =>
    world.clientKeys.rotate(world.alice, id, { graceMs: 0 }),
  );
  const later = world.clock.now() + DAY_MS;
  const rotated = await world.clientKeys.rotate(world.alice, id, { graceMs: 0, expiresAt: later });
  assert.equal(rotated.clientKey.expiresAt, later);
});

test("a grace window is at most thirty days", async () => {
  const world = await startWorld();
  const { clientKey } = await world.clientKeys.create(world.alice, { name: "a" });
  for (const graceMs of [-1, 0.5, ROTATION_GRACE_MS_MAX + 1, Number.NaN]) {
    await refused("invalid_argument", () =>
      world.clientKeys.rotate(world.alice, clientKey.id, { graceMs }),
    );
  }
});

test("a recoverable key is revealed to its owner alone, audited, also after a rotation", async () => {
  const world = await startWorld();
  const made = await world.clientKeys.create(world.alice, { name: "a", recoverable: true });
  const { id } = made.clientKey;
  assert.equal((await world.clientKeys.reveal(world.alice, id)).reveal(), made.secret.reveal());
  assert.equal(lastEvent(world).action, "client_key.reveal");
  assert.equal(lastEvent(world).outcome, "OK");
  await refused("not_found", () => world.clientKeys.reveal(world.root, id));
  const { secret } = await world.clientKeys.rotate(world.alice, id, { graceMs: 0 });
  assert.equal((await world.clientKeys.reveal(world.alice, id)).reveal(), secret.reveal());
  await world.clientKeys.revoke(world.alice, id);
  await refused("failed_precondition", () => world.clientKeys.reveal(world.alice, id));
});

test("who signed in with a password gives it again before a client key's secret is shown", async () => {
  const world = await startWorld();
  const made = await world.clientKeys.create(world.alice, { name: "a", recoverable: true });
  const signedIn: Actor = { ...world.alice, via: "SESSION" };
  const reveal = (password?: Secret) =>
    world.clientKeys.reveal(signedIn, made.clientKey.id, password);
  await refused("invalid_argument", () => reveal());
  await refused("login_failed", () => reveal(new Secret("wrong password")));
  assert.equal((await reveal(new Secret("alice 1234"))).reveal(), made.secret.reveal());
});

test("a secret is not given when its reveal cannot be audited", async () => {
  const world = await startWorld();
  const made = await world.clientKeys.create(world.alice, { name: "a", recoverable: true });
  world.store.beforeOperation = (name) => {
    if (name === "audit.append") throw new Error("disk full");
  };
  await assert.rejects(world.clientKeys.reveal(world.alice, made.clientKey.id), /disk full/);
});

test("a key that is not recoverable cannot be revealed", async () => {
  const world = await startWorld();
  const { clientKey } = await world.clientKeys.create(world.alice, { name: "a" });
  await refused("failed_precondition", () => world.clientKeys.reveal(world.alice, clientKey.id));
});

test("no key is made while the vault is locked", async () => {
  const world = await startWorld();
  world.vault.state = "LOCKED";
  await refused("vault_locked", () => world.clientKeys.create(world.alice, { name: "a" }));
  assert.equal(world.store.tables.clientKeys.size, 0);
});

test("a user has no more keys than the limit; an admin may exceed it for them", async () => {
  const world = await startWorld();
  const { clientKey } = await world.clientKeys.create(world.alice, { name: "a" });
  for (let n = 1; n < CLIENT_KEYS_PER_OWNER_MAX; n++) {
    const id = `ck_${String(n)}`;
    world.store.tables.clientKeys.set(id, { ...clientKey, id, mac: id });
  }
  await refused("failed_precondition", () => world.clientKeys.create(world.alice, { name: "b" }));
  await world.clientKeys.create(world.root, { name: "b", ownerId: world.alice.userId ?? "" });
});

test("a client key on the control port makes and lists keys, and reveals none", async () => {
  const world = await startWorld();
  const made = await world.clientKeys.create(world.alice, { name: "a", recoverable: true });
  const { actor } = world.identities.byClientKey(made.secret.reveal(), "192.0.2.7");
  await world.clientKeys.create(actor, { name: "from a script" });
  assert.equal((await world.clientKeys.list(actor, EVERYTHING)).total, 2);
  await refused("permission_denied", () => world.clientKeys.reveal(actor, made.clientKey.id));
  await refused("permission_denied", () =>
    world.users.create(actor, { username: "eve", password: new Secret("12345678") }),
  );
});
