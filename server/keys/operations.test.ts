import assert from "node:assert/strict";
import test from "node:test";
import type { Actor } from "../core/audit.js";
import { EVERYTHING, lastEvent, NOBODY, refused, startWorld } from "./testing/world.js";

test("a denied attempt is audited once, with who, what and whose, and changes nothing", async () => {
  const world = await startWorld();
  const { clientKey } = await world.clientKeys.create(world.bob, { name: "bob's" });
  const before = world.store.tables.audit.length;
  const actor: Actor = { ...world.alice, ip: "192.0.2.5", via: "SESSION" };
  await refused("not_found", () => world.clientKeys.rotate(actor, clientKey.id, { graceMs: 0 }));
  assert.equal(world.store.tables.audit.length, before + 1);
  const event = lastEvent(world);
  assert.deepEqual(event.actor, actor);
  assert.deepEqual(
    [event.action, event.targetId, event.targetName, event.outcome, event.note],
    ["client_key.rotate", clientKey.id, "bob's", "DENIED", "belongs to another owner"],
  );
});

test("an id that does not exist is no denial", async () => {
  const world = await startWorld();
  const before = world.store.tables.audit.length;
  await refused("not_found", () => world.clientKeys.get(world.alice, "ck_none"));
  assert.equal(world.store.tables.audit.length, before);
});

test("a flood of denials fills neither the audit log nor the memory", async () => {
  const world = await startWorld();
  const denied = () =>
    world.store.tables.audit.filter((event) => event.outcome === "DENIED").length;
  const attempt = (actor: Actor) => refused("permission_denied", () => world.settings.get(actor));
  for (let n = 0; n < 100; n++) await attempt(world.alice);
  assert.equal(denied(), 30);
  assert.match(lastEvent(world).note, /further ones/);
  await attempt(world.bob);
  assert.equal(denied(), 31);
  for (let n = 0; n < 100; n++) {
    const nobody = { ...NOBODY, ip: `192.0.2.${String(n)}` };
    await refused("unauthenticated", () => world.settings.get(nobody));
  }
  assert.equal(denied(), 61);
  world.clock.advance(60_000);
  await attempt(world.alice);
  assert.equal(denied(), 62);
});

test("a denial stands although it cannot be written down, and that is logged", async () => {
  const world = await startWorld();
  world.store.beforeOperation = () => {
    throw new Error("disk full");
  };
  await refused("permission_denied", () => world.settings.get(world.alice));
  assert.equal(world.log.lines.at(-1)?.level, "error");
});

test("users see the audit events of their own doing, operators all, nobody can change one", async () => {
  const world = await startWorld();
  await world.clientKeys.create(world.alice, { name: "a" });
  await world.clientKeys.create(world.bob, { name: "b" });
  const own = await world.auditLog.list(world.alice, EVERYTHING);
  assert.ok(own.items.length > 0);
  assert.ok(own.items.every((event) => event.actor.userId === world.alice.userId));
  const every = await world.auditLog.list(world.operator, EVERYTHING);
  assert.equal(every.total, world.store.tables.audit.length);
  const watched = await world.auditLog.after(world.alice, 0, 5000);
  assert.ok(watched.events.every((event) => event.actor.userId === world.alice.userId));
  assert.equal(watched.lastSeq, world.store.tables.audit.at(-1)?.seq);
  const nothing = await world.auditLog.after(world.operator, watched.lastSeq, 10);
  assert.deepEqual(nothing, { events: [], lastSeq: watched.lastSeq });
});

test("what changes no row is audited too", async () => {
  const world = await startWorld();
  await world.auditLog.record(world.root, "system.lock", { note: "before lunch" });
  assert.deepEqual(
    [lastEvent(world).action, lastEvent(world).note],
    ["system.lock", "before lunch"],
  );
  await refused("permission_denied", () => world.auditLog.record(world.alice, "system.lock"));
});
