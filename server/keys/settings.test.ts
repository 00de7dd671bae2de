import assert from "node:assert/strict";
import test from "node:test";
import { UNLIMITED } from "../core/limits.js";
import { Settings } from "./settings.js";
import { SETTING_NAMES, SETTINGS } from "./settings-table.js";
import { createWorld, lastEvent, refused, startWorld } from "./testing/world.js";

test("settings have their defaults until somebody changes them", async () => {
  const world = await startWorld();
  for (const name of SETTING_NAMES) {
    assert.equal(world.settings.values[name], SETTINGS[name].fallback);
    SETTINGS[name].check(name, SETTINGS[name].fallback);
  }
});

test("a change holds at once, survives a restart and names what changed", async () => {
  const world = await startWorld();
  await world.settings.update(world.root, { lockoutFailures: 3, sessionMinutes: 480 });
  assert.equal(world.settings.values.lockoutFailures, 3);
  assert.deepEqual(lastEvent(world).changedFields, ["lockout_failures"]);
  const { operations, store, feed, log } = world;
  const restarted = new Settings({ operations, reader: store.read, feed, log });
  await restarted.start();
  assert.equal(restarted.values.lockoutFailures, 3);
  restarted.stop();
  await world.settings.update(world.root, { lockoutFailures: 4 });
  assert.equal(restarted.values.lockoutFailures, 3);
});

test("limits are a setting like others, and a key without limits is made with the defaults", async () => {
  const world = await startWorld();
  const limits = { ...UNLIMITED, requestsPerMinute: 60 };
  await world.settings.update(world.root, { defaultClientKeyLimits: limits });
  assert.deepEqual(lastEvent(world).changedFields, ["default_client_key_limits"]);
  await world.settings.update(world.root, { defaultClientKeyLimits: { ...limits } });
  assert.deepEqual(lastEvent(world).changedFields, []);
  const { clientKey } = await world.clientKeys.create(world.alice, { name: "a" });
  assert.deepEqual(clientKey.limits, limits);
  const free = await world.clientKeys.create(world.alice, { name: "b", limits: UNLIMITED });
  assert.deepEqual(free.clientKey.limits, UNLIMITED);
  const [bad, twice] = [
    { ...limits, budgets: [{ period: "YEAR" }] },
    { ...limits, concurrency: -1 },
  ];
  for (const value of [bad, twice, null, 5]) {
    assert.throws(() => SETTINGS.serverLimits.check("server_limits", value), /server_limits/);
  }
});

test("of a patch with a bad value nothing is set", async () => {
  const world = await startWorld();
  const fault = await refused("invalid_argument", () =>
    world.settings.update(world.root, { sessionMinutes: 10, lockoutMinutes: 0 }),
  );
  assert.equal(fault.violations[0]?.field, "lockout_minutes");
  assert.equal(world.settings.values.sessionMinutes, 480);
  assert.equal(world.store.tables.settings.has("sessionMinutes"), false);
});

test("settings are changed by admins and seen by operators", async () => {
  const world = await startWorld();
  for (const actor of [world.operator, world.alice]) {
    await refused("permission_denied", () =>
      world.settings.update(actor, { registrationEnabled: true }),
    );
  }
  await refused("permission_denied", () => world.settings.get(world.alice));
  assert.equal((await world.settings.get(world.operator)).registrationEnabled, false);
});

test("a stored value that this version does not know leaves the default in force, with a warning", async () => {
  const { operations, store, feed, log } = createWorld();
  await store.write(async (tx) => {
    await tx.settings.put("durability", '"QUANTUM"');
    await tx.settings.put("lockoutFailures", "not json");
  });
  const settings = new Settings({ operations, reader: store.read, feed, log });
  await settings.start();
  assert.equal(settings.values.durability, "RELAXED");
  assert.equal(settings.values.lockoutFailures, 5);
  assert.equal(log.lines.filter((line) => line.level === "warn").length, 2);
});

test("other modules' settings are documents of their own, audited and announced", async () => {
  const world = await startWorld();
  const document = {
    id: "pool.allocation",
    value: '{"strategy":"round_robin"}',
    changedFields: ["strategy"],
  };
  await refused("permission_denied", () =>
    world.settings.putDocument(world.alice, "pool.set_allocation", document),
  );
  await world.settings.putDocument(world.root, "pool.set_allocation", document);
  assert.equal(await world.settings.readDocument("pool.allocation"), document.value);
  assert.deepEqual(lastEvent(world).changedFields, ["strategy"]);
  assert.equal(world.changes.at(-1)?.kind, "setting");
});
