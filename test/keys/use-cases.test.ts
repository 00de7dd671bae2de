import assert from "node:assert/strict";
import { cp, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import test from "node:test";
import { clientKeyForms, sessionTokens } from "../../server/app/keys-vault.js";
import { CHANGE_KINDS, type ChangeKind } from "../../server/core/change.js";
import { systemClock } from "../../server/core/clock.js";
import { presentedKey } from "../../server/core/presented-key.js";
import { systemRandom } from "../../server/core/random.js";
import { Secret } from "../../server/core/secret.js";
import { ChangeFeed } from "../../server/keys/change-feed.js";
import type { KeysReader } from "../../server/keys/ports.js";
import { MUTATIONS, prepare } from "../../server/keys/testing/mutations.js";
import {
  createUseCases,
  EVERYTHING,
  NOBODY,
  populate,
  refused,
  TestLogger,
} from "../../server/keys/testing/world.js";
import { openStorage } from "../../server/storage/open.js";
import { PasswordHasher } from "../../server/vault/password.js";
import { createFilePin } from "../../server/vault/public-key-pin.js";
import { createFileRootKeyProvider } from "../../server/vault/root-key/file.js";
import { loadSodium } from "../../server/vault/sodium.js";
import { createVault } from "../../server/vault/vault.js";

/** The use cases over the real database and the real vault, in a folder. */
async function openWorld(folder: string) {
  const log = new TestLogger();
  const clock = systemClock;
  const random = systemRandom;
  const feed = new ChangeFeed({ log });
  const storage = await openStorage({
    refusesNested: true,
    dataFolder: folder,
    clock,
    logger: log,
    onCommit: (changes) => feed.publish(changes),
    auditMac: () => null,
  });
  const rootKey = createFileRootKeyProvider({
    sodium: await loadSodium(),
    random,
    path: path.join(folder, "root.key"),
  });
  const pin = createFilePin({ path: path.join(folder, "vault.pin") });
  const store = storage.keyring;
  const vault = await createVault({ store, rootKey, pin, random, clock, logger: log });
  await vault.start();
  const ground = {
    store: storage.keys,
    feed,
    vault,
    forms: clientKeyForms(random),
    passwords: new PasswordHasher({ random, cost: { ln: 4, r: 8, p: 1 } }),
    tokens: sessionTokens(random),
    clock,
    log,
    random,
  };
  const world = { ...ground, storage, ...createUseCases(ground) };
  return {
    ...world,
    async close() {
      await world.directory.stop();
      await storage.close();
    },
  };
}

async function withFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(path.join(os.tmpdir(), "latchkey-keys-"));
  try {
    await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

test("every mutation works over the real database, audited, and who follows the changes knows what is stored", async () => {
  await withFolder(async (folder) => {
    const template = path.join(folder, "template");
    const first = await openWorld(template);
    const people = await populate(first);
    const { draft, ids } = await prepare({ ...first, ...people });
    await first.close();
    for (const [action, mutate] of Object.entries(MUTATIONS)) {
      // Each in a copy of its own, so that none finds what another one left.
      const own = path.join(folder, action);
      await cp(template, own, { recursive: true });
      const world = await openWorld(own);
      try {
        await world.settings.start();
        const before = await world.store.read.audit.list({ ...EVERYTHING, pageSize: 1 });
        const followed = await stored(world.store.read);
        world.feed.subscribe(CHANGE_KINDS, ({ kind, id, value }) => {
          if (value === null) followed.delete(`${kind} ${id}`);
          else followed.set(`${kind} ${id}`, structuredClone(value));
        });
        await mutate({ ...world, ...people, draft, ids });
        assert.deepEqual(followed, await stored(world.store.read), action);
        const events = await world.store.read.audit.after(before.total, 100);
        const done = events.some((event) => event.action === action && event.outcome === "OK");
        assert.ok(done, action);
      } finally {
        await world.close();
      }
    }
  });
});

test("after a restart every key, session, ban and setting is as it was", async () => {
  await withFolder(async (folder) => {
    const first = await openWorld(folder);
    const people = await populate(first);
    const made = await first.clientKeys.create(people.alice, { name: "阿里云", format: "UUID" });
    const rotated = await first.clientKeys.create(people.alice, { name: "rotated" });
    const fresh = await first.clientKeys.rotate(people.alice, rotated.clientKey.id, {
      graceMs: 60_000,
    });
    const ofBob = await first.clientKeys.create(people.bob, { name: "bob's" });
    await first.users.ban(people.root, people.bob.userId ?? "");
    const token = new Secret("an-old-static-token-1");
    await first.clientKeyImport.importAll(people.root, { kind: "STANDARD" }, [
      { name: "old", token },
    ]);
    const byor = await first.byorKeys.get(people.alice);
    const secret = new Secret("sk-restart-000000001");
    const draft = { providerId: "prv_openai", name: "k", secret };
    const providerKey = await first.providerKeys.create(people.alice, draft);
    await first.settings.update(people.root, { sessionMinutes: 60 });
    const session = await first.sessions.login(NOBODY, "alice", new Secret("alice 1234"));
    first.directory.authenticate(presentedKey(made.secret.reveal()), "");
    await first.close();

    const second = await openWorld(folder);
    try {
      await second.settings.start();
      await second.directory.start();
      await second.identities.start();
      const authenticate = (text: Secret) =>
        second.directory.authenticate(presentedKey(text.reveal()), "");
      assert.equal(authenticate(made.secret).clientKey.name, "阿里云");
      const stored = await second.clientKeys.get(people.alice, made.clientKey.id);
      assert.equal(stored.usageCount, 1);
      authenticate(rotated.secret);
      authenticate(fresh.secret);
      authenticate(token);
      await refused("user_banned", () => authenticate(ofBob.secret));
      assert.equal(second.settings.values.sessionMinutes, 60);
      const { actor } = await second.identities.bySession(session.token.reveal(), "");
      assert.equal(actor.userId, people.alice.userId);
      const again = await second.byorKeys.get(people.alice);
      assert.equal(again.secret.reveal(), byor.secret.reveal());
      const shown = await second.providerKeys.reveal(people.alice, providerKey.id);
      assert.equal(shown.reveal(), secret.reveal());
    } finally {
      await second.close();
    }
    await assertNowhere(folder, [
      made.secret,
      fresh.secret,
      token,
      byor.secret,
      secret,
      session.token,
    ]);
  });
});

test("listings over the real database show each caller what is theirs", async () => {
  await withFolder(async (folder) => {
    const world = await openWorld(folder);
    try {
      const { alice, bob, operator } = await populate(world);
      await world.clientKeys.create(alice, { name: "a" });
      await world.clientKeys.create(bob, { name: "b" });
      const own = await world.providers.create(bob, {
        displayName: "Bob's",
        baseUrl: "https://bob.test",
      });
      await world.models.upsert(bob, own.id, [{ modelId: "bobs-model" }]);
      assert.equal((await world.clientKeys.list(alice, EVERYTHING)).total, 1);
      assert.equal((await world.clientKeys.list(operator, EVERYTHING)).total, 2);
      const text = { ...EVERYTHING, text: "bobs-model" };
      assert.equal((await world.models.list(alice, text)).total, 0);
      assert.equal((await world.models.list(bob, text)).total, 1);
      const seen = await world.providers.list(alice, EVERYTHING);
      assert.ok(seen.total > 5 && seen.items.every((provider) => provider.id !== own.id));
      const events = await world.auditLog.list(alice, EVERYTHING);
      assert.ok(
        events.total > 0 && events.items.every(({ actor }) => actor.userId === alice.userId),
      );
    } finally {
      await world.close();
    }
  });
});

/** All records of the kinds whose changes are announced, by kind and id. */
async function stored(read: KeysReader): Promise<Map<string, unknown>> {
  const users = await read.users.all();
  const clientKeys = await Promise.all(users.map(({ id }) => read.clientKeys.ofOwner(id)));
  const settings = [...(await read.settings.all())].map(([id, value]) => ({ id, value }));
  const records: Record<ChangeKind, readonly { readonly id: string }[]> = {
    user: users,
    provider: await read.providers.all(),
    model: await read.models.all(),
    provider_key: await read.providerKeys.all(),
    client_key: clientKeys.flat(),
    setting: settings,
  };
  return new Map(
    Object.entries(records).flatMap(([kind, all]) =>
      all.map((each) => [`${kind} ${each.id}`, structuredClone(each)] as const),
    ),
  );
}

/** No file of the folder holds any of these. */
async function assertNowhere(folder: string, secrets: readonly Secret[]): Promise<void> {
  for (const name of await readdir(folder)) {
    const content = await readFile(path.join(folder, name));
    for (const secret of secrets) {
      assert.equal(content.includes(secret.reveal()), false, `${name} holds a secret`);
    }
  }
}
