import assert from "node:assert/strict";
import test from "node:test";
import { settle } from "../../test/support/fake-clock.js";
import { Secret } from "../core/secret.js";
import { EXPIRY_SWEEP_MS, ExpiryWatch } from "./expiry-watch.js";
import { clientKeyNotices, providerKeyNotices } from "./notices.js";
import { startWorld, type World } from "./testing/world.js";

const DAY_MS = 86_400_000;
const days = { rotationDueDays: 90, expiryNoticeDays: 7 };
const watchOf = ({ store, directory: clientKeys, clock, log }: World): ExpiryWatch =>
  new ExpiryWatch({ store, clientKeys, clock, log });
const expiries = (world: World) =>
  world.store.tables.audit.filter((event) => event.action.endsWith(".expire"));

test("a client key's notices follow from its dates", async () => {
  const world = await startWorld();
  const nowMs = world.clock.now();
  const { clientKey: key } = await world.clientKeys.create(world.alice, { name: "a" });
  assert.deepEqual(clientKeyNotices(key, days, nowMs), []);
  assert.deepEqual(clientKeyNotices(key, days, nowMs + 90 * DAY_MS), ["ROTATION_DUE", "UNUSED"]);
  const rotated = { ...key, rotatedAt: nowMs + 80 * DAY_MS, lastUsedAt: nowMs + 80 * DAY_MS };
  assert.deepEqual(clientKeyNotices(rotated, days, nowMs + 90 * DAY_MS), []);
  const expiring = { ...key, expiresAt: nowMs + 7 * DAY_MS };
  assert.deepEqual(clientKeyNotices(expiring, days, nowMs), ["EXPIRES_SOON"]);
  assert.deepEqual(clientKeyNotices(expiring, days, nowMs + 7 * DAY_MS), []);
  const elsewhere = { ...key, newAddressAt: nowMs };
  assert.deepEqual(clientKeyNotices(elsewhere, days, nowMs + DAY_MS - 1), ["NEW_ADDRESS"]);
  assert.deepEqual(clientKeyNotices(elsewhere, days, nowMs + DAY_MS), []);
  assert.deepEqual(clientKeyNotices({ ...key, enabled: false }, days, nowMs + 900 * DAY_MS), []);
});

test("a provider key's notices follow from its dates", async () => {
  const world = await startWorld();
  const nowMs = world.clock.now();
  const secret = new Secret("sk-notice-0000001");
  const key = await world.providerKeys.create(world.alice, {
    providerId: "prv_openai",
    name: "k",
    secret,
  });
  assert.deepEqual(providerKeyNotices(key, days, nowMs + 90 * DAY_MS), ["ROTATION_DUE", "UNUSED"]);
  world.clock.advance(80 * DAY_MS);
  const rotated = await world.providerKeys.rotate(
    world.alice,
    key.id,
    new Secret("sk-notice-0000002"),
  );
  const renamed = await world.providerKeys.update(world.alice, key.id, { name: "other" });
  assert.equal(renamed.secretAt, rotated.secretAt);
  assert.deepEqual(providerKeyNotices(renamed, days, nowMs + 90 * DAY_MS), ["UNUSED"]);
  assert.deepEqual(providerKeyNotices(renamed, days, nowMs + 170 * DAY_MS), [
    "ROTATION_DUE",
    "UNUSED",
  ]);
  const expiring = { ...key, expiresAt: nowMs + DAY_MS };
  assert.deepEqual(providerKeyNotices(expiring, days, nowMs), ["EXPIRES_SOON"]);
  assert.deepEqual(providerKeyNotices({ ...key, enabled: false }, days, nowMs + 900 * DAY_MS), []);
});

test("each key that expires is announced once, also over a restart and a clock set back", async () => {
  const world = await startWorld();
  const watch = watchOf(world);
  assert.equal(await watch.sweep(), 0);
  const expiresAt = world.clock.now() + DAY_MS;
  const { clientKey } = await world.clientKeys.create(world.alice, { name: "a", expiresAt });
  const revoked = await world.clientKeys.create(world.alice, { name: "r", expiresAt });
  await world.clientKeys.revoke(world.alice, revoked.clientKey.id);
  const secret = new Secret("sk-expiry-0000001");
  const key = { providerId: "prv_openai", name: "k", secret, expiresAt };
  const providerKey = await world.providerKeys.create(world.alice, key);
  assert.equal(await watch.sweep(), 0);
  world.clock.advance(DAY_MS);
  assert.equal(await watch.sweep(), 2);
  assert.deepEqual(
    expiries(world).map((event) => [event.action, event.targetId]),
    [
      ["client_key.expire", clientKey.id],
      ["provider_key.expire", providerKey.id],
    ],
  );
  assert.equal(await watchOf(world).sweep(), 0);
  world.clock.advance(-DAY_MS);
  assert.equal(await watch.sweep(), 0);
  world.clock.advance(2 * DAY_MS);
  assert.equal(await watch.sweep(), 0);
});

test("a clock that was a year ahead for a while keeps no later expiry from being announced", async () => {
  const world = await startWorld();
  const watch = watchOf(world);
  const expiresAt = world.clock.now() + DAY_MS;
  const { clientKey } = await world.clientKeys.create(world.alice, { name: "a", expiresAt });
  await watch.sweep();
  world.clock.jumpWall(365 * DAY_MS);
  assert.equal(await watch.sweep(), 1);
  world.clock.jumpWall(-365 * DAY_MS);
  assert.equal(await watch.sweep(), 0);
  await world.clientKeys.create(world.alice, { name: "b", expiresAt: expiresAt + DAY_MS });
  world.clock.advance(2 * DAY_MS);
  assert.equal(await watch.sweep(), 2);
  assert.equal(expiries(world)[0]?.targetId, clientKey.id);
});

test("keys that expired while the server was down are announced at the start, then every minute", async () => {
  const world = await startWorld();
  await watchOf(world).sweep();
  const expiresAt = world.clock.now() + DAY_MS;
  await world.clientKeys.create(world.alice, { name: "a", expiresAt });
  world.clock.advance(2 * DAY_MS);
  const watch = watchOf(world);
  watch.start();
  await watch.stop();
  assert.equal(expiries(world).length, 1);
  const running = watchOf(world);
  running.start();
  await world.clientKeys.create(world.alice, { name: "b", expiresAt: world.clock.now() + 1000 });
  await settle();
  world.clock.advance(EXPIRY_SWEEP_MS);
  await settle();
  await running.stop();
  assert.equal(expiries(world).length, 2);
});

test("a sweep that fails is logged and announced with the next one", async () => {
  const world = await startWorld();
  const watch = watchOf(world);
  await watch.sweep();
  await world.clientKeys.create(world.alice, { name: "a", expiresAt: world.clock.now() + 1000 });
  world.store.beforeOperation = () => {
    throw new Error("disk full");
  };
  world.clock.advance(1000);
  const failing = watchOf(world);
  failing.start();
  await failing.stop();
  assert.equal(world.log.lines.at(-1)?.level, "warn");
  world.store.beforeOperation = () => undefined;
  assert.equal(await watch.sweep(), 1);
});

test("very many keys at once are summed up", async () => {
  const world = await startWorld();
  const watch = watchOf(world);
  await watch.sweep();
  const expiresAt = world.clock.now() + 1000;
  const { clientKey } = await world.clientKeys.create(world.alice, { name: "a", expiresAt });
  const many = Array.from({ length: 600 }, (_, n) => ({ ...clientKey, id: `ck_${String(n)}` }));
  world.clock.advance(1000);
  const { store, clock, log } = world;
  const clientKeys = { expiringWithin: () => many };
  assert.equal(await new ExpiryWatch({ store, clientKeys, clock, log }).sweep(), 600);
  assert.equal(expiries(world).length, 500);
  assert.match(expiries(world).at(-1)?.note ?? "", /100 more/);
});
