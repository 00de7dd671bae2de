import assert from "node:assert/strict";
import { test } from "node:test";
import type { ServerProcess } from "../../scripts/lib/server-process.js";
import type { Api } from "../../tui/api/services.js";
import {
  addClientKey,
  addProvider,
  addProviderKey,
  chat,
  dataFolder,
  serve,
  until,
  upstream,
} from "../system/fixture.js";

/** Kills of one run; `LATCHKEY_KILLS=500` is the long form. */
const KILLS = Number(process.env["LATCHKEY_KILLS"] ?? "15");
/** Enough that a rotation takes longer than the wait before a kill. */
const SECRETS = 300;
const WAIT_MS_MAX = 700;

/** What the server has said it did. */
interface Acknowledged {
  /** Names of provider keys with their secrets. */
  readonly secrets: Map<string, string>;
  readonly deleted: Set<string>;
  rotations: number;
}

test(`${KILLS} kills at random moments of rotations and admin writes lose nothing`, async (t) => {
  const folder = dataFolder(t);
  const stub = await upstream(t);
  const seed = Number(process.env["LATCHKEY_SEED"] ?? Date.now() % 1_000_000);
  t.diagnostic(`LATCHKEY_SEED=${seed}`);
  const random = seeded(seed);
  const known: Acknowledged = { secrets: new Map(), deleted: new Set(), rotations: 0 };
  let server = await serve(t, folder);
  const { providerId } = await addProvider(server.api, stub);
  await server.api.clientKeys.createClientKey({ name: "recoverable", recoverable: true });
  const clientKey = await addClientKey(server.api);
  for (let i = 0; i < SECRETS; i++) {
    const [name, secret] = [`first-${i}`, `sk-kill-first-${seed}-${i}`];
    await addProviderKey(server.api, providerId, name, secret);
    known.secrets.set(name, secret);
  }
  for (let kill = 0; kill < KILLS; kill++) {
    const { api } = server;
    const busy = [rotate(api, known), write(api, { providerId, known, kill, random })];
    await new Promise((resolve) => setTimeout(resolve, random() * WAIT_MS_MAX));
    await server.kill();
    await Promise.all(busy);
    server = await serve(t, folder);
    await checkAll(server, known, `kill ${kill + 1}`);
    assert.equal((await chat(server.proxyUrl, clientKey)).status, 200);
  }
  await until(async () => {
    const { vault } = await server.api.system.getStatus({});
    return (
      vault?.rotation === undefined &&
      vault!.vaultKeys.every(({ current, sealedCount }) => current || sealedCount === 0n)
    );
  });
  await revealAll(server.api, known);
  t.diagnostic(
    `${known.secrets.size} secrets, ${known.rotations} rotations ended before their kill`,
  );
  assert.equal(await server.stop(), 0);
});

/** Rotates until the server dies. */
async function rotate(api: Api, known: Acknowledged): Promise<void> {
  try {
    for (;;) {
      for await (const { progress } of api.system.rotateVaultKey({})) assert.ok(progress);
      known.rotations++;
    }
  } catch (error) {
    if (error instanceof assert.AssertionError) throw error;
  }
}

/** Adds, changes and deletes until the server dies; what it answered is remembered. */
async function write(
  api: Api,
  run: {
    readonly providerId: string;
    readonly known: Acknowledged;
    readonly kill: number;
    readonly random: () => number;
  },
): Promise<void> {
  const { providerId, known, kill, random } = run;
  const ids = new Map<string, string>();
  try {
    for (let i = 0; ; i++) {
      const [name, secret] = [`kill-${kill}-${i}`, `sk-kill-${kill}-${i}-${random()}`];
      ids.set(name, await addProviderKey(api, providerId, name, secret));
      known.secrets.set(name, secret);
      if (i % 3 === 1) {
        const next = `${secret}-rotated`;
        // Until the answer comes either of the two may hold.
        known.secrets.set(name, `${secret}|${next}`);
        await api.providerKeys.rotateProviderKey({ id: ids.get(name)!, secret: next });
        known.secrets.set(name, next);
      }
      if (i % 3 === 2) {
        known.secrets.delete(name);
        await api.providerKeys.deleteProviderKey({ id: ids.get(name)! });
        known.deleted.add(name);
      }
    }
  } catch (error) {
    if (error instanceof assert.AssertionError) throw error;
  }
}

/** Every acknowledged write is there, nothing is unreadable, and the audit chain is whole. */
async function checkAll({ api }: ServerProcess, known: Acknowledged, when: string): Promise<void> {
  const names = new Set<string>();
  let pageToken = "";
  do {
    const page = await api.providerKeys.listProviderKeys({ pageSize: 500, pageToken });
    for (const { name } of page.providerKeys) names.add(name);
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  for (const name of known.secrets.keys()) assert.ok(names.has(name), `${when}: ${name} is lost`);
  for (const name of known.deleted) assert.ok(!names.has(name), `${when}: ${name} came back`);
  const { vault } = await api.system.getStatus({});
  assert.equal(vault?.unreadableCount, 0, when);
  assert.equal(vault.quarantinedCount, 0, when);
  const chain = await api.audit.verifyChain({});
  assert.ok(chain.intact, `${when}: ${chain.message}`);
}

/** Each secret is what was stored last. */
async function revealAll(api: Api, known: Acknowledged): Promise<void> {
  let pageToken = "";
  let seen = 0;
  do {
    const page = await api.providerKeys.listProviderKeys({ pageSize: 500, pageToken });
    for (const { id, name } of page.providerKeys) {
      const expected = known.secrets.get(name);
      if (expected === undefined) continue;
      const { secret } = await api.providerKeys.revealProviderKey({ id });
      assert.ok(expected.split("|").includes(secret), name);
      seen++;
    }
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  assert.equal(seen, known.secrets.size);
}

/** A sequence of numbers from 0 to 1 that a seed repeats (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
