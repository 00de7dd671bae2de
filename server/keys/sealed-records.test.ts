import assert from "node:assert/strict";
import test from "node:test";
import { Secret } from "../core/secret.js";
import { purgeSecretsOnChange } from "./secret-purge.js";
import type { SealedRecord } from "./sealed-records.js";
import { lastEvent, startWorld, type World } from "./testing/world.js";

const all = async (world: World): Promise<SealedRecord[]> => {
  const records: SealedRecord[] = [];
  for await (const record of world.sealedRecords.rows()) records.push(record);
  return records;
};

const filled = async () => {
  const world = await startWorld();
  const secret = new Secret("sk-sealed-0000001");
  const draft = { providerId: "prv_openai", name: "k", secret };
  const providerKey = await world.providerKeys.create(world.alice, draft);
  const { clientKey } = await world.clientKeys.create(world.alice, {
    name: "r",
    recoverable: true,
  });
  await world.clientKeys.create(world.alice, { name: "not recoverable" });
  return { ...world, providerKey, clientKey };
};

test("every sealed secret opens with the binding that is given with it", async () => {
  const world = await filled();
  const records = await all(world);
  assert.deepEqual(
    records.map((record) => record.id),
    [world.providerKey.id, world.clientKey.id],
  );
  for (const { sealed, binding } of records) await world.vault.open(sealed, binding);
});

test("a re-sealed secret takes the place of the one it came from, and of no other", async () => {
  const world = await filled();
  const records = await all(world);
  const moves = records.map(({ id, sealed }) => ({
    id,
    from: { ...sealed, ciphertext: Uint8Array.from(sealed.ciphertext) },
    to: { ...sealed, vaultKeyVersion: 2 },
  }));
  await world.providerKeys.rotate(
    world.alice,
    world.providerKey.id,
    new Secret("sk-sealed-0000002"),
  );
  const events = world.store.tables.audit.length;
  assert.equal(await world.sealedRecords.save(moves), 1);
  assert.equal(
    world.store.tables.clientKeys.get(world.clientKey.id)?.sealedCopy?.vaultKeyVersion,
    2,
  );
  assert.equal(
    world.store.tables.providerKeys.get(world.providerKey.id)?.sealed.vaultKeyVersion,
    1,
  );
  assert.equal(world.changes.at(-1)?.id, world.clientKey.id);
  assert.equal(world.store.tables.audit.length, events + 1);
  assert.equal(lastEvent(world).action, "system.reseal");
  assert.equal(await world.sealedRecords.save(moves), 0);
  assert.equal(world.store.tables.audit.length, events + 1);
  const gone = { ...moves[0]!, id: "pk_gone" };
  assert.equal(await world.sealedRecords.save([gone]), 0);
});

test("an adoption of a secret that was replaced meanwhile changes nothing", async () => {
  const world = await filled();
  const { id, sealed } = world.providerKey;
  const stale = { ...sealed, ciphertext: Buffer.from("older") };
  await world.sealedRecords.adopt({ id, from: stale, to: sealed, fingerprint: "f" });
  assert.deepEqual(world.store.tables.providerKeys.get(id), world.providerKey);
});

test("the cache of opened secrets forgets a key with every change of it", async () => {
  const world = await filled();
  const purged: string[] = [];
  const stop = purgeSecretsOnChange(world.feed, { purge: (id) => purged.push(id) });
  const { id } = world.providerKey;
  await world.providerKeys.disable(world.alice, id);
  await world.providerKeys.setVisibility(world.alice, id, "PUBLIC", false);
  await world.providerKeys.delete(world.alice, id);
  assert.deepEqual(purged, [id, id, id]);
  stop();
});
