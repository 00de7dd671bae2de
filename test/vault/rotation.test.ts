import assert from "node:assert/strict";
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import test from "node:test";
import { systemRandom } from "../../server/core/random.js";
import { Secret } from "../../server/core/secret.js";
import { createFileRootKeyProvider } from "../../server/vault/root-key/file.js";
import type { NewRootKey, RootKey, RootKeyProvider } from "../../server/vault/root-key/provider.js";
import {
  rotateVaultKey,
  type RotationOptions,
  type RotationProgress,
} from "../../server/vault/rotation.js";
import { createVault, type Vault } from "../../server/vault/vault.js";
import { settle } from "../support/fake-clock.js";
import { createTestVault, isFault, testClock, type TestVault } from "./fixtures.js";
import { bindingOfIndex, fillRows, type MemoryRows, unreadable } from "./memory-rows.js";

class Killed extends Error {}

async function finish(options: RotationOptions): Promise<RotationProgress> {
  let last: RotationProgress | undefined;
  for await (last of rotateVaultKey(options));
  assert.ok(last?.finished);
  return last;
}

function allAtVersion(rows: MemoryRows, version: number): boolean {
  return [...rows.all.values()].every((row) => row.sealed.vaultKeyVersion === version);
}

test("a rotation moves every row to a new key pair and retires the old one", async (t) => {
  const { vault, restart } = await createTestVault(t);
  const rows = await fillRows(vault, 100);
  const last = await finish({ vault, source: rows, clock: testClock });
  assert.deepEqual({ moved: last.moved, retired: last.retired }, { moved: 100, retired: true });
  assert.ok(allAtVersion(rows, 2));
  assert.equal(vault.rotationPending, false);
  for (const running of [vault, await restart()]) {
    assert.deepEqual(await unreadable(running, rows), []);
    assert.equal(running.status().vaultKeyVersion, 2);
  }
  await vault.forgetRetired(Number.MAX_SAFE_INTEGER);
  assert.deepEqual(await unreadable(await restart(), rows), []);
});

test("a rotation tells how far it is, batch by batch and pass by pass", async (t) => {
  const { vault } = await createTestVault(t);
  const source = await fillRows(vault, 100);
  const told: RotationProgress[] = [];
  for await (const each of rotateVaultKey({ vault, source, clock: testClock })) told.push(each);
  const running = { toVersion: 2, refused: [], finished: false, retired: false };
  assert.deepEqual(told, [
    { ...running, pass: 1, seen: 64, moved: 64 },
    { ...running, pass: 1, seen: 100, moved: 100 },
    { ...running, pass: 2, seen: 100, moved: 100 },
    { ...running, pass: 2, seen: 100, moved: 100, finished: true, retired: true },
  ]);
});

test("killed at every step, a rotation leaves every row readable and finishes after", async (t) => {
  const made = await createTestVault(t);
  const { store, restart } = made;
  const rows = await fillRows(made.vault, 36);
  const before = { keys: store.keys, rows: new Map(rows.all) };
  const reset = () => {
    store.keys = before.keys;
    rows.all.clear();
    for (const [id, row] of before.rows) rows.all.set(id, { ...row });
  };
  let kills = 0;
  for (let killAt = 0; ; killAt++) {
    reset();
    let step = 0;
    const count = () => {
      if (step++ === killAt) throw new Killed();
    };
    rows.onStep = count;
    store.beforeSave = count;
    store.afterSave = count;
    const vault = await restart();
    const killed = await finish({ vault, source: rows, clock: testClock }).then(
      () => false,
      (thrown: unknown) => {
        assert.ok(thrown instanceof Killed);
        return true;
      },
    );
    rows.onStep = store.beforeSave = store.afterSave = () => undefined;
    if (!killed) break;
    kills++;
    const again = await restart();
    assert.deepEqual(await unreadable(again, rows), [], `killed at step ${killAt}`);
    // Reads are many and alike: resuming after every fifth of them is enough.
    if (killAt > 4 && killAt % 5 !== 0) continue;
    const last = await finish({ vault: again, source: rows, clock: testClock });
    assert.ok(last.retired);
    assert.ok(allAtVersion(rows, last.toVersion));
    assert.deepEqual(await unreadable(await restart(), rows), []);
  }
  assert.ok(kills > 75, `${kills} kills`);
});

test("rows that change during a rotation keep their change and end up under the new key", async (t) => {
  const { vault } = await createTestVault(t);
  const rows = await fillRows(vault, 64);
  const row = rows.all.get("pk_3")!;
  const binding = { ...row.binding, visibility: "PRIVATE" as const };
  const hidden = { binding, sealed: await vault.rebind(row.sealed, row.binding, binding) };
  let saves = 0;
  rows.onStep = (step) => {
    // Between reading and saving, other requests hid row 3, still under the old key, and deleted row 4.
    if (step !== "before save" || saves++ > 0) return;
    rows.all.set("pk_3", hidden);
    rows.all.delete("pk_4");
  };
  const last = await finish({ vault, source: rows, clock: testClock });
  assert.ok(last.retired);
  assert.ok(allAtVersion(rows, 2));
  assert.equal(rows.all.size, 63);
  assert.deepEqual(rows.all.get("pk_3")!.binding, binding);
  assert.deepEqual(await unreadable(vault, rows), []);
});

test("a key that is published during a rotation, under the new MAC and the old box, is moved too", async (t) => {
  const { vault, restart } = await createTestVault(t);
  const rows = await fillRows(vault, 5);
  let changes = 0;
  const publish = async (): Promise<void> => {
    const row = rows.all.get("pk_2")!;
    const binding = { ...row.binding, visibility: "PUBLIC" as const };
    rows.all.set("pk_2", { binding, sealed: await vault.rebind(row.sealed, row.binding, binding) });
  };
  rows.onStep = (step) => {
    // The row was read before, so it is the next pass that finds it, and the one after that.
    if (step === "before save" && changes++ < 2) void publish();
  };
  const last = await finish({ vault, source: rows, clock: testClock });
  assert.deepEqual([changes, last.retired], [3, true]);
  assert.ok(allAtVersion(rows, 2));
  await vault.forgetRetired(Number.MAX_SAFE_INTEGER);
  assert.deepEqual(await unreadable(await restart(), rows), []);
});

test("a row that does not open is reported and keeps the old keys from being retired", async (t) => {
  const { vault } = await createTestVault(t);
  const rows = await fillRows(vault, 40);
  const good = rows.all.get("pk_7")!;
  rows.all.set("pk_7", { ...good, binding: { ...good.binding, origin: "https://evil.example" } });
  const last = await finish({ vault, source: rows, clock: testClock });
  assert.deepEqual(
    last.refused.map((row) => row.id),
    ["pk_7"],
  );
  assert.match(last.refused[0]!.reason, /changed outside Latchkey/);
  assert.equal(last.retired, false);
  assert.equal(vault.rotationPending, true);
  rows.all.set("pk_7", good);
  const again = await finish({ vault, source: rows, clock: testClock });
  assert.deepEqual({ moved: again.moved, retired: again.retired }, { moved: 1, retired: true });
});

test("locking stops a rotation, which goes on after the next unlock", async (t) => {
  const { vault } = await createTestVault(t);
  const rows = await fillRows(vault, 100);
  rows.onStep = (step) => {
    if (step === "after save") vault.lock();
  };
  await assert.rejects(finish({ vault, source: rows, clock: testClock }), isFault("vault_locked"));
  rows.onStep = () => undefined;
  await vault.unlock();
  assert.deepEqual(await unreadable(vault, rows), []);
  assert.ok((await finish({ vault, source: rows, clock: testClock })).retired);
});

test("a rotation gives way after each two milliseconds of work", async (t) => {
  const { vault } = await createTestVault(t);
  const rows = await fillRows(vault, 100);
  let nowMs = 0;
  // Each look at the clock takes a millisecond, so at most three rows fit into a slice.
  const clock = { ...testClock, monotonic: () => nowMs++ };
  let turns = 0;
  const done = new AbortController();
  const others = (async () => {
    while (!done.signal.aborted) {
      await settle();
      turns++;
    }
  })();
  await finish({ vault, source: rows, clock });
  done.abort();
  await others;
  assert.ok(turns >= 2 * Math.floor(100 / 3), `${turns} turns`);
});

test("endless changes end in a conflict, not in an endless rotation", async (t) => {
  const { vault } = await createTestVault(t);
  const rows = await fillRows(vault, 2);
  const old = new Map(rows.all);
  rows.onStep = (step) => {
    if (step === "after save") for (const [id, row] of old) rows.all.set(id, row);
  };
  await assert.rejects(finish({ vault, source: rows, clock: testClock }), isFault("conflict"));
});

type KillPoint = "create" | "before save" | "after save" | "commit";
const KILL_POINTS: readonly KillPoint[] = ["create", "before save", "after save", "commit"];

/** Stops for ever at a named step, as a killed process does; `reached` resolves when it is there. */
function killAt(made: TestVault, point: KillPoint) {
  let arrive: () => void = () => undefined;
  const reached = new Promise<void>((resolve) => (arrive = resolve));
  const stop = () => {
    arrive();
    return new Promise<never>(() => undefined);
  };
  const { store, rootKey: provider } = made;
  if (point === "before save") store.beforeSave = stop;
  if (point === "after save") store.afterSave = stop;
  const rootKey: RootKeyProvider = {
    kind: provider.kind,
    needsPassphrase: provider.needsPassphrase,
    describe: () => provider.describe(),
    open: (expected, passphrase) => provider.open(expected, passphrase),
    async create(occasion, passphrase): Promise<NewRootKey> {
      const next = await provider.create(occasion, passphrase);
      if (point === "create") return stop();
      return point === "commit" ? { ...next, commit: stop } : next;
    },
  };
  const dead = async () => {
    await reached;
    store.beforeSave = store.afterSave = () => undefined;
  };
  return { rootKey, dead };
}

async function afterKill(made: TestVault, rows: MemoryRows): Promise<string> {
  const again = await made.restart();
  assert.deepEqual(await unreadable(again, rows), []);
  assert.deepEqual(
    (await readdir(made.folder)).filter((name) => name.startsWith("root.key")),
    ["root.key"],
  );
  return readFile(path.join(made.folder, "root.key"), "utf8");
}

test("a root key rotation killed at any step leaves one root key in force and all secrets readable", async (t) => {
  for (const point of KILL_POINTS) {
    const made = await createTestVault(t);
    const rows = await fillRows(made.vault, 3);
    const old = await readFile(path.join(made.folder, "root.key"), "utf8");
    const { rootKey, dead } = killAt(made, point);
    void made.vault.rotateRootKey(rootKey);
    await dead();
    const now = await afterKill(made, rows);
    const saved = point === "after save" || point === "commit";
    assert.equal(now !== old, saved, `killed at ${point}`);
  }
});

test("a first start killed at any step is finished or begun anew by the next", async (t) => {
  for (const point of KILL_POINTS) {
    const made = await createTestVault(t);
    const { store, pin, random, logger } = made;
    await rm(path.join(made.folder, "root.key"));
    store.keys = [];
    const { rootKey, dead } = killAt(made, point);
    const vault = await createVault({ store, pin, random, logger, rootKey, clock: testClock });
    void vault.start();
    await dead();
    const again = await made.restart();
    assert.equal(again.state, "UNLOCKED", `killed at ${point}`);
    await afterKill(made, await fillRows(again, 2));
  }
});

test("a root key rotation whose save fails keeps the old root key, also when it failed after saving", async (t) => {
  for (const point of ["beforeSave", "afterSave"] as const) {
    const made = await createTestVault(t);
    const { vault, store, folder, rootKey } = made;
    const rows = await fillRows(vault, 3);
    const old = await readFile(path.join(folder, "root.key"), "utf8");
    store[point] = () => {
      throw new Error("disk full");
    };
    const done = await vault.rotateRootKey(rootKey).then(
      () => true,
      () => false,
    );
    store[point] = () => undefined;
    // What was saved is in force whatever the database said, and the vault goes on with it.
    assert.equal(done, point === "afterSave");
    await vault.addVersions(["PEPPER"]);
    assert.equal((await afterKill(made, rows)) !== old, done);
  }
});

test("a lock during a root key rotation never saves wiped keys", async (t) => {
  const made = await createTestVault(t);
  const { vault, rootKey } = made;
  const rows = await fillRows(vault, 3);
  for (let delay = 0; delay < 12; delay++) {
    const rotating = vault.rotateRootKey(rootKey).catch((thrown: unknown) => thrown);
    for (let turn = 0; turn < delay; turn++) await settle();
    vault.lock();
    const thrown = await rotating;
    if (thrown !== undefined) assert.ok(isFault("vault_locked")(thrown), String(thrown));
    assert.equal(vault.state, "LOCKED");
    await afterKill(made, rows);
    await vault.unlock();
    assert.deepEqual(await unreadable(vault, rows), []);
  }
});

test("keys that are locked while they are wrapped for a rotation are told as locked, not as a bug", async (t) => {
  const made = await createTestVault(t);
  const rows = await fillRows(made.vault, 3);
  let lockAt = { step: "", uses: 0 };
  const vault: Vault = await made.restart(
    watched(made.rootKey, (step) => {
      if (step === lockAt.step && --lockAt.uses === 0) vault.lock();
    }),
  );
  for (const step of ["wrap", "unwrap"]) {
    for (let uses = 1; uses <= 5; uses++) {
      lockAt = { step, uses };
      await assert.rejects(vault.addVersions(["PEPPER"]), isFault("vault_locked"));
      await afterKill(made, rows);
      await vault.unlock();
    }
  }
});

/** The same root keys; `used` hears of each key that one has just wrapped or unwrapped. */
function watched(provider: RootKeyProvider, used: (step: string) => void): RootKeyProvider {
  const watch = (key: RootKey): RootKey => ({
    ...key,
    async wrap(...given) {
      const wrapped = await key.wrap(...given);
      used("wrap");
      return wrapped;
    },
    async unwrap(...given) {
      const unwrapped = await key.unwrap(...given);
      used("unwrap");
      return unwrapped;
    },
  });
  return { ...provider, open: async (...given) => watch(await provider.open(...given)) };
}

test("a half-written replacement of the root key file is thrown away", async (t) => {
  const made = await createTestVault(t);
  const rows = await fillRows(made.vault, 1);
  await writeFile(path.join(made.folder, "root.key.next"), "3f9a", { mode: 0o600 });
  await afterKill(made, rows);
});

test("two vaults over one root key file cannot be mixed up", async (t) => {
  const one = await createTestVault(t);
  const two = await createTestVault(t);
  const sealed = await one.vault.seal(new Secret("sk-1"), bindingOfIndex(1));
  await assert.rejects(two.vault.open(sealed, bindingOfIndex(1)), isFault("secret_unreadable"));
  const file = createFileRootKeyProvider({
    sodium: one.sodium,
    random: systemRandom,
    path: path.join(one.folder, "root.key"),
  });
  await assert.rejects(two.restart(file), isFault("root_key_wrong"));
});
