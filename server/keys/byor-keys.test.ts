import assert from "node:assert/strict";
import test from "node:test";
import { SYSTEM_ACTOR } from "../core/audit.js";
import { presentedKey } from "../core/presented-key.js";
import { lastEvent, refused, startWorld } from "./testing/world.js";

test("the BYOR key is made when first asked for and is the same from then on", async () => {
  const world = await startWorld();
  const first = await world.byorKeys.get(world.alice);
  assert.equal(first.created, true);
  assert.equal(lastEvent(world).note, "created");
  const second = await world.byorKeys.get(world.alice);
  assert.equal(second.created, false);
  assert.equal(second.secret.reveal(), first.secret.reveal());
  assert.equal(lastEvent(world).note, "revealed");
  assert.equal(first.clientKey.kind, "BYOR");
  world.directory.authenticate(presentedKey(first.secret.reveal()), "");
});

test("two first requests at once get the same key", async () => {
  const world = await startWorld();
  const both = await Promise.all([
    world.byorKeys.get(world.alice),
    world.byorKeys.get(world.alice),
  ]);
  assert.equal(both[0].secret.reveal(), both[1].secret.reveal());
  assert.equal(world.store.tables.clientKeys.size, 1);
});

test("each user has a BYOR key of their own", async () => {
  const world = await startWorld();
  const ofAlice = await world.byorKeys.get(world.alice);
  const ofBob = await world.byorKeys.get(world.bob);
  assert.notEqual(ofAlice.clientKey.id, ofBob.clientKey.id);
  assert.equal(ofBob.clientKey.ownerId, world.bob.userId);
});

test("a refresh revokes the old key first, and both in one transaction", async () => {
  const world = await startWorld();
  const old = await world.byorKeys.get(world.alice);
  const writes = world.store.writes;
  world.changes.length = 0;
  const fresh = await world.byorKeys.refresh(world.alice);
  assert.equal(world.store.writes, writes + 1);
  assert.deepEqual(
    world.changes.map((change) => change.id),
    [old.clientKey.id, fresh.clientKey.id],
  );
  await refused("revoked_api_key", () =>
    world.directory.authenticate(presentedKey(old.secret.reveal()), ""),
  );
  world.directory.authenticate(presentedKey(fresh.secret.reveal()), "");
  assert.equal((await world.byorKeys.get(world.alice)).secret.reveal(), fresh.secret.reveal());
});

test("a refresh that fails leaves the old key working", async () => {
  const world = await startWorld();
  const old = await world.byorKeys.get(world.alice);
  world.store.beforeOperation = (name) => {
    if (name === "clientKeys.insert") throw new Error("disk full");
  };
  await assert.rejects(world.byorKeys.refresh(world.alice), /disk full/);
  world.directory.authenticate(presentedKey(old.secret.reveal()), "");
});

test("a first refresh makes a key", async () => {
  const world = await startWorld();
  const { secret } = await world.byorKeys.refresh(world.alice);
  world.directory.authenticate(presentedKey(secret.reveal()), "");
});

test("a revoked BYOR key is replaced when asked for, and none is rotated", async () => {
  const world = await startWorld();
  const { clientKey } = await world.byorKeys.get(world.alice);
  await refused("failed_precondition", () =>
    world.clientKeys.rotate(world.alice, clientKey.id, { graceMs: 0 }),
  );
  await world.clientKeys.revoke(world.alice, clientKey.id);
  const next = await world.byorKeys.get(world.alice);
  assert.notEqual(next.clientKey.id, clientKey.id);
});

test("the system has no BYOR key, a banned user gets none", async () => {
  const world = await startWorld();
  await refused("failed_precondition", () => world.byorKeys.get(SYSTEM_ACTOR));
  await world.users.ban(world.root, world.alice.userId ?? "");
  await refused("user_banned", () => world.byorKeys.get(world.alice));
});
