import assert from "node:assert/strict";
import test from "node:test";
import type { FaultCode } from "../core/fault.js";
import { presentedKey } from "../core/presented-key.js";
import { refused, startWorld } from "./testing/world.js";

const GRACE_MS = 3_600_000;

type World = Awaited<ReturnType<typeof startWorld>>;

async function made(world: World): Promise<{ id: string; secret: string }> {
  const { clientKey, secret } = await world.clientKeys.create(world.alice, { name: "a" });
  return { id: clientKey.id, secret: secret.reveal() };
}

async function rotated(world: World, id: string): Promise<string> {
  const { secret } = await world.clientKeys.rotate(world.alice, id, { graceMs: GRACE_MS });
  return secret.reveal();
}

/** The id of the client key that a secret leads to. */
function idOf(world: World, secret: string): string {
  return world.directory.authenticate(presentedKey(secret), "").clientKey.id;
}

function mustRefuse(world: World, code: FaultCode, secret: string): Promise<unknown> {
  return refused(code, () => world.directory.authenticate(presentedKey(secret), ""));
}

test("a secret that was replaced works for its grace and not a moment longer, for calls under way too", async () => {
  const world = await startWorld();
  const { id, secret } = await made(world);
  const principal = world.directory.authenticate(presentedKey(secret), "");
  const next = await rotated(world, id);
  world.clock.advance(GRACE_MS - 1);
  assert.equal(idOf(world, secret), id);
  assert.ok(world.directory.validKey(principal));
  world.clock.advance(1);
  await mustRefuse(world, "revoked_api_key", secret);
  assert.equal(world.directory.validKey(principal), undefined);
  assert.equal(idOf(world, next), id);
});

test("a secret that was replaced twice is refused, though the one between still works", async () => {
  const world = await startWorld();
  const { id, secret } = await made(world);
  const principal = world.directory.authenticate(presentedKey(secret), "");
  const between = await rotated(world, id);
  assert.equal(idOf(world, secret), id);
  const newest = await rotated(world, id);
  await mustRefuse(world, "invalid_api_key", secret);
  assert.equal(world.directory.validKey(principal), undefined);
  assert.equal(idOf(world, between), id);
  assert.equal(idOf(world, newest), id);
});

test("no secret of a deleted key leads to the keys that are made after it", async () => {
  const world = await startWorld();
  const { id, secret } = await made(world);
  const next = await rotated(world, id);
  await world.clientKeys.delete(world.alice, id);
  for (let i = 0; i < 3; i++) {
    const other = await made(world);
    await rotated(world, other.id);
  }
  await mustRefuse(world, "invalid_api_key", secret);
  await mustRefuse(world, "invalid_api_key", next);
});

test("revoking a key ends the secret before it too", async () => {
  const world = await startWorld();
  const { id, secret } = await made(world);
  const next = await rotated(world, id);
  await world.clientKeys.revoke(world.alice, id);
  await mustRefuse(world, "invalid_api_key", secret);
  await mustRefuse(world, "revoked_api_key", next);
});
