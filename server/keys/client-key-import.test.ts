import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import test from "node:test";
import { presentedKey } from "../core/presented-key.js";
import { Secret } from "../core/secret.js";
import { lastEvent, refused, startWorld } from "./testing/world.js";

const TOKEN = "old-static-token-000001";
const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");
const target = { kind: "STANDARD" } as const;
const named = (token: string) => ({ name: token, token: new Secret(token) });

test("an old static token works after its import, and is not stored in clear", async () => {
  const world = await startWorld();
  await refused("invalid_api_key", () => world.directory.authenticate(presentedKey(TOKEN), ""));
  const [entry] = await world.clientKeyImport.importAll(world.root, target, [
    { name: "old", token: new Secret(TOKEN) },
  ]);
  assert.equal(entry?.outcome, "CREATED");
  assert.equal(
    world.directory.authenticate(presentedKey(TOKEN), "").clientKey.id,
    entry?.clientKey?.id,
  );
  const stored = JSON.stringify([...world.store.tables.clientKeys.values()]);
  assert.ok(!stored.includes(TOKEN) && !stored.includes(sha256(TOKEN)));
  assert.equal(lastEvent(world).action, "client_key.import");
});

test("a key of which only the SHA-256 was kept works after its import, in any form", async () => {
  const world = await startWorld();
  const native = world.forms.generate("STANDARD", "UUID").reveal();
  await world.clientKeyImport.importAll(world.root, target, [
    { name: "hash", sha256: sha256(TOKEN).toUpperCase() },
    { name: "uuid", sha256: sha256(native) },
  ]);
  assert.equal(world.directory.authenticate(presentedKey(TOKEN), "").clientKey.name, "hash");
  assert.equal(world.directory.authenticate(presentedKey(native), "").clientKey.name, "uuid");
});

test("a plain SHA-256 that somebody wrote into the database authenticates nothing", async () => {
  const world = await startWorld();
  const { clientKey } = await world.clientKeys.create(world.bob, { name: "b" });
  await world.clientKeyImport.importAll(world.root, target, [
    { name: "real", token: new Secret(TOKEN) },
  ]);
  const forged = {
    ...clientKey,
    id: "ck_forged",
    mac: sha256("attacker-token-1234"),
    pepperVersion: 0,
  };
  await world.store.write(async (tx) => {
    await tx.clientKeys.insert(forged);
  });
  await refused("invalid_api_key", () =>
    world.directory.authenticate(presentedKey("attacker-token-1234"), ""),
  );
});

test("each entry is reported, and a bad one does not stop the others", async () => {
  const world = await startWorld();
  const report = await world.clientKeyImport.importAll(world.root, target, [
    { name: "good", token: new Secret(TOKEN) },
    { name: "again", token: new Secret(TOKEN) },
    { name: "short", token: new Secret("short") },
    { name: "bad hash", sha256: "abc" },
    { name: "", token: new Secret(`${TOKEN}2`) },
    { name: "typo of ours", token: new Secret("lk-STANDARD-SK-1-0000") },
    { name: "expired", token: new Secret(`${TOKEN}3`), expiresAt: 1 },
    { name: "last", token: new Secret(`${TOKEN}4`) },
  ]);
  assert.deepEqual(
    report.map((entry) => entry.outcome),
    ["CREATED", "DUPLICATE", "INVALID", "INVALID", "INVALID", "INVALID", "INVALID", "CREATED"],
  );
  assert.ok(!JSON.stringify(report.map((entry) => entry.message)).includes(TOKEN));
});

test("a dry run reports the same and stores nothing", async () => {
  const world = await startWorld();
  const tokens = Array.from({ length: 250 }, (_, i) => `old-static-token-${String(i % 240)}`);
  const entries = [{ name: "x", sha256: "nope" }, ...tokens.map(named)];
  const events = world.store.tables.audit.length;
  const dry = await world.clientKeyImport.importAll(
    world.root,
    { ...target, dryRun: true },
    entries,
  );
  assert.equal(world.store.tables.clientKeys.size, 0);
  assert.equal(world.store.tables.audit.length, events);
  assert.ok(dry.every(({ clientKey }) => clientKey === null));
  const done = await world.clientKeyImport.importAll(world.root, target, entries);
  const outcomes = (report: typeof done): readonly string[] => report.map(({ outcome }) => outcome);
  assert.deepEqual(outcomes(dry), outcomes(done));
  assert.equal(world.store.tables.clientKeys.size, 240);
});

test("only admins import, and not more than the limit at once", async () => {
  const world = await startWorld();
  await refused("permission_denied", () =>
    world.clientKeyImport.importAll(world.alice, target, []),
  );
  const many = Array.from({ length: 1001 }, () => ({ name: "x", sha256: sha256("x") }));
  await refused("invalid_argument", () =>
    world.clientKeyImport.importAll(world.root, target, many),
  );
});

test("an imported key can be rotated into one of ours, with grace for the old one", async () => {
  const world = await startWorld();
  const [entry] = await world.clientKeyImport.importAll(world.root, target, [
    { name: "old", token: new Secret(TOKEN) },
  ]);
  const id = entry?.clientKey?.id ?? "";
  const { secret, clientKey } = await world.clientKeys.rotate(world.root, id, { graceMs: 1000 });
  assert.notEqual(clientKey.pepperVersion, 0);
  world.directory.authenticate(presentedKey(TOKEN), "");
  world.directory.authenticate(presentedKey(secret.reveal()), "");
  world.clock.advance(1000);
  await refused("revoked_api_key", () => world.directory.authenticate(presentedKey(TOKEN), ""));
});
