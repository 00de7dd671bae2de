import assert from "node:assert/strict";
import test from "node:test";
import type { Actor } from "../core/audit.js";
import { presentedKey } from "../core/presented-key.js";
import { Secret } from "../core/secret.js";
import {
  createWorld,
  EVERYTHING,
  lastEvent,
  NOBODY,
  refused,
  startWorld,
  type World,
} from "./testing/world.js";

const password = new Secret("a good password");
const idOf = (actor: Actor): string => actor.userId ?? "";
const signIn = (world: World, name: string) =>
  world.sessions.login(NOBODY, name, new Secret(`${name} 1234`));

test("the first start makes one admin without a password, and only the first", async () => {
  const world = createWorld();
  const admin = await world.users.createFirstAdmin({ username: "admin" });
  assert.equal(admin?.role, "ADMIN");
  assert.equal(admin?.passwordHash, null);
  assert.equal(await world.users.createFirstAdmin({ username: "other" }), undefined);
  assert.equal(world.store.tables.users.size, 1);
  assert.equal(lastEvent(world).actor.via, "SYSTEM");
});

test("two first starts at once make one admin", async () => {
  const world = createWorld();
  const both = await Promise.allSettled([
    world.users.createFirstAdmin({ username: "one" }),
    world.users.createFirstAdmin({ username: "two" }),
  ]);
  assert.equal(world.store.tables.users.size, 1);
  assert.equal(both.filter((result) => result.status === "fulfilled").length, 1);
});

test("nobody registers unless the settings allow it, and then only as USER", async () => {
  const world = await startWorld();
  const draft = { username: "Carol", email: "Carol@Example.org", password };
  await refused("permission_denied", () => world.users.register(NOBODY, draft));
  assert.equal(lastEvent(world).outcome, "DENIED");
  await world.settings.update(world.root, { registrationEnabled: true });
  const asAdmin = { ...draft, role: "ADMIN" as const };
  const carol = await world.users.register(NOBODY, asAdmin);
  assert.deepEqual(
    [carol.username, carol.email, carol.role],
    ["carol", "carol@example.org", "USER"],
  );
  await refused("invalid_argument", () => world.users.register(NOBODY, { username: "dave" }));
});

test("usernames and e-mail addresses are unique whatever their case", async () => {
  const world = await startWorld();
  await world.users.create(world.root, { username: "Dora", email: "dora@x.test", password });
  const name = await refused("already_exists", () =>
    world.users.create(world.root, { username: "DORA", password }),
  );
  assert.equal(name.violations[0]?.field, "username");
  const email = await refused("already_exists", () =>
    world.users.create(world.root, { username: "other", email: "DORA@x.test", password }),
  );
  assert.equal(email.violations[0]?.field, "email");
});

test("bad fields of a user are refused by name", async () => {
  const world = await startWorld();
  const field = async (part: object): Promise<string | undefined> => {
    const draft = { username: "valid", password, ...part };
    const fault = await refused("invalid_argument", () => world.users.create(world.root, draft));
    return fault.violations[0]?.field;
  };
  assert.equal(await field({ username: "ab" }), "username");
  assert.equal(await field({ username: "a b c" }), "username");
  assert.equal(await field({ username: "a@b.test" }), "username");
  assert.equal(await field({ username: "x".repeat(51) }), "username");
  assert.equal(await field({ password: new Secret("short") }), "password");
  assert.equal(await field({ password: new Secret("é".repeat(600)) }), "password");
  assert.equal(
    await field({ username: "sameasname", password: new Secret("SameAsName") }),
    "password",
  );
  assert.equal(await field({ email: "nonsense" }), "email");
  assert.equal(await field({ trustLevel: 101 }), "trust_level");
});

test("users are made, changed, banned and deleted by admins alone", async () => {
  const world = await startWorld();
  const id = idOf(world.bob);
  const { users } = world;
  for (const actor of [world.alice, world.operator]) {
    for (const attempt of [
      () => users.create(actor, { username: "eve", password }),
      () => users.update(actor, id, { role: "ADMIN" }),
      () => users.ban(actor, id),
      () => users.unban(actor, id),
      () => users.disable(actor, id),
      () => users.enable(actor, id),
      () => users.resetPassword(actor, id, password),
      () => users.delete(actor, id),
    ]) {
      await refused("permission_denied", attempt);
      assert.equal(lastEvent(world).outcome, "DENIED");
    }
  }
  await refused("permission_denied", () => users.list(world.alice, EVERYTHING));
  assert.equal((await users.list(world.operator, EVERYTHING)).total, 4);
  await refused("not_found", () => users.get(world.alice, id));
  assert.equal((await users.get(world.alice, idOf(world.alice))).username, "alice");
});

test("an update tells the names of what changed, and the last admin stays one", async () => {
  const world = await startWorld();
  const { users, root } = world;
  await users.update(root, idOf(world.alice), { email: "a@x.test", trustLevel: 3 });
  assert.deepEqual(lastEvent(world).changedFields, ["email", "trust_level"]);
  await refused("already_exists", () => users.update(root, idOf(world.bob), { email: "a@x.test" }));
  await refused("failed_precondition", () => users.update(root, idOf(root), { role: "USER" }));
  await users.update(root, idOf(world.alice), { role: "ADMIN" });
  await users.update(root, idOf(root), { role: "USER" });
  const alice: Actor = { ...world.alice, role: "ADMIN" };
  assert.equal((await users.update(alice, idOf(alice), { email: "" })).email, null);
});

test("a ban ends sessions, stops client keys, takes keys out of the pool, and is reversible", async () => {
  const world = await startWorld();
  const { users, root } = world;
  const id = idOf(world.alice);
  const { token } = await signIn(world, "alice");
  const { secret } = await world.clientKeys.create(world.alice, { name: "a" });
  for (const [name, visibility] of [
    ["public", "PUBLIC"],
    ["private", "PRIVATE"],
  ] as const) {
    await world.providerKeys.create(world.alice, {
      providerId: "prv_openai",
      name,
      visibility,
      secret: new Secret(`sk-${name}-000000001`),
    });
  }
  world.changes.length = 0;
  const banned = await users.ban(root, id, "spam");
  assert.deepEqual([banned.endedSessions, banned.withdrawnProviderKeys], [1, 1]);
  assert.equal(lastEvent(world).note, "spam");
  // The pool hears of the owner, which decides whether the owner's keys are eligible.
  assert.deepEqual(
    world.changes.map(({ kind, value }) => [
      kind,
      value !== null && "state" in value && value.state,
    ]),
    [["user", "BANNED"]],
  );
  await refused("unauthenticated", () => world.identities.bySession(token.reveal(), ""));
  await refused("user_banned", () =>
    world.directory.authenticate(presentedKey(secret.reveal()), ""),
  );
  await refused("user_banned", () => signIn(world, "alice"));
  await users.unban(root, id);
  world.directory.authenticate(presentedKey(secret.reveal()), "");
  await signIn(world, "alice");
});

test("a disabled account neither signs in nor calls; a ban has to be lifted on its own", async () => {
  const world = await startWorld();
  const id = idOf(world.alice);
  const { secret } = await world.clientKeys.create(world.alice, { name: "a" });
  await world.users.disable(world.root, id);
  await refused("disabled_api_key", () =>
    world.directory.authenticate(presentedKey(secret.reveal()), ""),
  );
  await refused("permission_denied", () => signIn(world, "alice"));
  await refused("failed_precondition", () => world.users.unban(world.root, id));
  await world.users.enable(world.root, id);
  await signIn(world, "alice");
  await world.users.ban(world.root, id);
  await refused("failed_precondition", () => world.users.enable(world.root, id));
});

test("nobody stops themselves or the last admin", async () => {
  const world = await startWorld();
  const { users, root } = world;
  const own = idOf(root);
  for (const attempt of [
    () => users.ban(root, own),
    () => users.disable(root, own),
    () => users.delete(root, own),
  ]) {
    await refused("failed_precondition", attempt);
  }
  await users.update(root, idOf(world.alice), { role: "ADMIN" });
  await users.ban({ ...world.alice, role: "ADMIN" }, own);
  const bobAsAdmin: Actor = { ...world.bob, role: "ADMIN" };
  await refused("failed_precondition", () => users.ban(bobAsAdmin, idOf(world.alice)));
});

test("a reset password works at once, ends the sessions and lifts a lock-out", async () => {
  const world = await startWorld();
  const { token } = await signIn(world, "alice");
  for (let n = 0; n < 5; n++) {
    await refused("login_failed", () =>
      world.sessions.login(NOBODY, "alice", new Secret("wrong one")),
    );
  }
  await refused("login_failed", () => signIn(world, "alice"));
  const done = await world.users.resetPassword(world.root, idOf(world.alice), password);
  assert.equal(done.endedSessions, 1);
  assert.deepEqual(lastEvent(world).changedFields, ["password"]);
  await refused("unauthenticated", () => world.identities.bySession(token.reveal(), ""));
  await world.sessions.login(NOBODY, "alice", password);
});

test("a deleted user goes with sessions, keys and private providers; the audit log stays", async () => {
  const world = await startWorld();
  const id = idOf(world.alice);
  await signIn(world, "alice");
  await world.clientKeys.create(world.alice, { name: "a" });
  const own = await world.providers.create(world.alice, {
    displayName: "Own",
    baseUrl: "https://o.test",
  });
  await world.models.upsert(world.alice, own.id, [{ modelId: "m" }]);
  const secret = new Secret("secret-of-alice");
  await world.providerKeys.create(world.alice, { providerId: own.id, name: "k", secret });
  const events = world.store.tables.audit.length;
  const gone = await world.users.delete(world.root, id);
  assert.deepEqual([gone.providerKeys, gone.clientKeys, gone.providers], [1, 1, 1]);
  const { users, sessions, clientKeys, providerKeys, providers } = world.store.tables;
  assert.equal(users.has(id), false);
  assert.deepEqual(
    [sessions.size, clientKeys.size, providerKeys.size, providers.has(own.id)],
    [0, 0, 0, false],
  );
  assert.deepEqual(
    world.store.tables.audit.slice(events).map((event) => event.action),
    ["client_key.delete", "provider_key.delete", "provider.delete", "user.delete"],
  );
});
