import assert from "node:assert/strict";
import test from "node:test";
import * as fc from "fast-check";
import { clientKeyState } from "../core/client-key.js";
import { Fault } from "../core/fault.js";
import { presentedKey } from "../core/presented-key.js";
import { Secret } from "../core/secret.js";
import { ClientKeyDirectory } from "./client-key-directory.js";
import { USES_FLUSH_MS } from "./client-key-uses.js";
import { refused, startWorld } from "./testing/world.js";

const HOUR_MS = 3_600_000;

test("garbage is refused before the vault is asked for anything", async () => {
  const world = await startWorld();
  const { secret } = await world.clientKeys.create(world.alice, { name: "a" });
  let asked = 0;
  const macs = world.vault.clientKeyMac.bind(world.vault);
  world.vault.clientKeyMac = (text) => {
    asked += 1;
    return macs(text);
  };
  const good = secret.reveal();
  for (const text of [
    "",
    " ",
    "sk-nothing-we-know",
    good.slice(0, -1),
    `${good}x`,
    good.replace("1", "2"),
  ]) {
    await refused("invalid_api_key", () => world.directory.authenticate(presentedKey(text), ""));
  }
  assert.equal(asked, 0);
  world.directory.authenticate(presentedKey(good), "");
  assert.equal(asked, 1);
});

test("a well-formed key that is not known is refused like garbage", async () => {
  const world = await startWorld();
  const stranger = world.forms.generate("STANDARD", "SK").reveal();
  const unknown = await refused("invalid_api_key", () =>
    world.directory.authenticate(presentedKey(stranger), ""),
  );
  const garbage = await refused("invalid_api_key", () =>
    world.directory.authenticate(presentedKey("x"), ""),
  );
  assert.equal(unknown.publicMessage, garbage.publicMessage);
});

test("while the vault is locked a well-formed key answers vault_locked, even one in use", async () => {
  const world = await startWorld();
  const { secret } = await world.clientKeys.create(world.alice, { name: "a" });
  world.directory.authenticate(presentedKey(secret.reveal()), "");
  world.vault.state = "LOCKED";
  const fault = await refused("vault_locked", () =>
    world.directory.authenticate(presentedKey(secret.reveal()), ""),
  );
  assert.ok((fault.retryAfterSeconds ?? 0) > 0);
  await refused("invalid_api_key", () => world.directory.authenticate(presentedKey("garbage"), ""));
});

test("the refusal names the strongest reason: revoked, expired, disabled, then the owner", async () => {
  const world = await startWorld();
  const expiresAt = world.clock.now() + HOUR_MS;
  const { clientKey, secret } = await world.clientKeys.create(world.alice, {
    name: "a",
    expiresAt,
  });
  const authenticate = () => world.directory.authenticate(presentedKey(secret.reveal()), "");
  await world.users.ban(world.root, world.alice.userId ?? "");
  await refused("user_banned", authenticate);
  await world.clientKeys.disable(world.root, clientKey.id);
  await refused("disabled_api_key", authenticate);
  world.clock.advance(HOUR_MS);
  await refused("expired_api_key", authenticate);
  await world.clientKeys.revoke(world.root, clientKey.id);
  await refused("revoked_api_key", authenticate);
});

test("for any state of a key the directory agrees with the listing", async () => {
  const world = await startWorld();
  const { clientKey, secret } = await world.clientKeys.create(world.alice, { name: "a" });
  const nowMs = world.clock.now();
  const moment = fc.option(fc.integer({ min: nowMs - 5, max: nowMs + 5 }));
  const codes = {
    REVOKED: "revoked_api_key",
    EXPIRED: "expired_api_key",
    DISABLED: "disabled_api_key",
    ACTIVE: "none",
  } as const;
  await fc.assert(
    fc.asyncProperty(moment, moment, fc.boolean(), async (revokedAt, expiresAt, enabled) => {
      const value = { ...clientKey, revokedAt, expiresAt, enabled };
      await world.store.write(async (tx) => {
        await tx.clientKeys.update(value);
      });
      let code = "none";
      try {
        world.directory.authenticate(presentedKey(secret.reveal()), "");
      } catch (thrown) {
        assert.ok(thrown instanceof Fault);
        code = thrown.code;
      }
      assert.equal(code, codes[clientKeyState(value, nowMs)]);
    }),
    { numRuns: 100 },
  );
});

test("a banned owner's keys are refused at once and work again after the ban", async () => {
  const world = await startWorld();
  const { secret } = await world.clientKeys.create(world.alice, { name: "a" });
  const authenticate = () => world.directory.authenticate(presentedKey(secret.reveal()), "");
  await world.users.ban(world.root, world.alice.userId ?? "");
  await refused("user_banned", authenticate);
  await world.users.unban(world.root, world.alice.userId ?? "");
  authenticate();
  await world.users.disable(world.root, world.alice.userId ?? "");
  await refused("disabled_api_key", authenticate);
  await world.users.enable(world.root, world.alice.userId ?? "");
  authenticate();
});

test("an address outside the allow-list is refused, and mapped addresses count as what they map", async () => {
  const world = await startWorld();
  const ipAllowlist = ["10.0.0.0/8", "2001:db8::/32"];
  const { secret } = await world.clientKeys.create(world.alice, { name: "a", ipAllowlist });
  for (const ip of ["10.1.2.3", "::ffff:10.1.2.3", "2001:db8::1"]) {
    world.directory.authenticate(presentedKey(secret.reveal()), ip);
  }
  for (const ip of [
    "11.0.0.1",
    "::ffff:11.0.0.1",
    "2001:db9::1",
    "",
    "fe80::1%eth0",
    "10.1.2.3:80",
  ]) {
    await refused("ip_not_allowed", () =>
      world.directory.authenticate(presentedKey(secret.reveal()), ip),
    );
  }
});

test("streams hear of a revoked, disabled, deleted or rotated key, and of a banned owner, once", async () => {
  const world = await startWorld();
  const heard: string[] = [];
  world.directory.onInvalidated((id) => heard.push(id));
  const make = async () => {
    const { clientKey, secret } = await world.clientKeys.create(world.alice, { name: "a" });
    return {
      id: clientKey.id,
      principal: world.directory.authenticate(presentedKey(secret.reveal()), ""),
    };
  };
  const { clientKeys: keys, alice } = world;
  for (const end of [
    (id: string) => keys.revoke(alice, id),
    (id: string) => keys.disable(alice, id),
    (id: string) => keys.delete(alice, id),
    (id: string) => keys.rotate(alice, id, { graceMs: 0 }),
  ]) {
    const { id, principal } = await make();
    assert.ok(world.directory.validKey(principal));
    await end(id);
    assert.equal(world.directory.validKey(principal), undefined);
    assert.deepEqual(heard.splice(0), [id]);
  }
  const { id, principal } = await make();
  await world.users.ban(world.root, alice.userId ?? "");
  assert.equal(world.directory.validKey(principal), undefined);
  assert.ok(heard.includes(id));
});

test("streams go on through changes that take nothing away", async () => {
  const world = await startWorld();
  const heard: string[] = [];
  world.directory.onInvalidated((id) => heard.push(id));
  const expiresAt = world.clock.now() + HOUR_MS;
  const made = await world.clientKeys.create(world.alice, { name: "a", expiresAt });
  const principal = world.directory.authenticate(presentedKey(made.secret.reveal()), "");
  await world.clientKeys.update(world.alice, made.clientKey.id, { name: "b" });
  await world.clientKeys.rotate(world.alice, made.clientKey.id, { graceMs: HOUR_MS });
  assert.ok(world.directory.validKey(principal));
  // A call that began in time may end, although its key expires meanwhile.
  world.clock.advance(HOUR_MS - 1);
  assert.ok(world.directory.validKey(principal));
  assert.deepEqual(heard, []);
});

test("who called before is known with the key as it is now, as long as that may be used", async () => {
  const world = await startWorld();
  const { clientKeys: keys, alice, directory } = world;
  const expiresAt = world.clock.now() + HOUR_MS;
  const made = await keys.create(alice, { name: "a", expiresAt });
  const principal = directory.authenticate(presentedKey(made.secret.reveal()), "192.0.2.1");
  const { id } = made.clientKey;
  await keys.update(alice, id, { scopes: ["chat"], ipAllowlist: ["192.0.2.1"] });
  assert.deepEqual(directory.renewed(principal, "192.0.2.1")?.clientKey.scopes, ["chat"]);
  assert.throws(() => directory.renewed(principal, "192.0.2.2"), { code: "ip_not_allowed" });
  world.clock.advance(HOUR_MS);
  assert.throws(() => directory.renewed(principal, "192.0.2.1"), { code: "expired_api_key" });
  await keys.revoke(alice, id);
  assert.equal(directory.renewed(principal, "192.0.2.1"), undefined);
});

test("a caller that waits hears that keys have changed, and has its own as it is then", async () => {
  const world = await startWorld();
  const { clientKeys: keys, alice, directory } = world;
  const { clientKey, secret } = await keys.create(alice, { name: "a" });
  const here = "192.0.2.1";
  const principal = directory.authenticate(presentedKey(secret.reveal()), here);
  const { revision } = directory;
  assert.deepEqual(directory.current(principal, here), principal);
  assert.equal(directory.revision, revision);
  await keys.update(alice, clientKey.id, { modelAllowlist: ["m"], ipAllowlist: [here] });
  assert.notEqual(directory.revision, revision);
  assert.deepEqual(directory.current(principal, here).clientKey.modelAllowlist, ["m"]);
  assert.throws(() => directory.current(principal, "192.0.2.2"), { code: "ip_not_allowed" });
  const expiresAt = world.clock.now() + HOUR_MS;
  await keys.update(alice, clientKey.id, { expiresAt });
  world.clock.advance(HOUR_MS);
  assert.throws(() => directory.current(principal, here), { code: "expired_api_key" });
  await keys.delete(alice, clientKey.id);
  assert.throws(() => directory.current(principal, here), { code: "revoked_api_key" });
});

test("a listener that fails does not keep the others from hearing", async () => {
  const world = await startWorld();
  const heard: string[] = [];
  const stop = world.directory.onInvalidated(() => {
    throw new Error("broken listener");
  });
  world.directory.onInvalidated((id) => heard.push(id));
  const { clientKey } = await world.clientKeys.create(world.alice, { name: "a" });
  await world.clientKeys.disable(world.alice, clientKey.id);
  assert.deepEqual(heard, [clientKey.id]);
  stop();
});

test("a directory that starts later knows what is stored, and what changes while it loads", async () => {
  const world = await startWorld();
  const stored = await world.clientKeys.create(world.alice, { name: "stored" });
  const banned = await world.clientKeys.create(world.bob, { name: "banned" });
  await world.users.ban(world.root, world.bob.userId ?? "");
  const { store, feed, vault, forms, uses, clock, log } = world;
  const late = new ClientKeyDirectory({ reader: store.read, feed, vault, forms, uses, clock, log });
  const [, made] = await Promise.all([
    late.start(),
    world.clientKeys.create(world.alice, { name: "meanwhile" }),
  ]);
  late.authenticate(presentedKey(stored.secret.reveal()), "");
  late.authenticate(presentedKey(made.secret.reveal()), "");
  await refused("user_banned", () => late.authenticate(presentedKey(banned.secret.reveal()), ""));
  assert.equal(late.size, 3);
  await late.stop();
  await world.clientKeys.revoke(world.alice, stored.clientKey.id);
  late.authenticate(presentedKey(stored.secret.reveal()), "");
});

test("keys under an older pepper go on working", async () => {
  const world = await startWorld();
  const { secret } = await world.clientKeys.create(world.alice, { name: "old" });
  world.vault.peppers = ["pepper two", ...world.vault.peppers];
  const fresh = await world.clientKeys.create(world.alice, { name: "new" });
  world.directory.authenticate(presentedKey(secret.reveal()), "");
  world.directory.authenticate(presentedKey(fresh.secret.reveal()), "");
});

test("uses are counted in memory and written every few seconds, in one transaction", async () => {
  const world = await startWorld();
  const { clientKey, secret } = await world.clientKeys.create(world.alice, { name: "a" });
  const writes = world.store.writes;
  for (let n = 0; n < 3; n++) world.directory.authenticate(presentedKey(secret.reveal()), "");
  const usedAt = world.clock.now();
  assert.equal(world.store.writes, writes);
  world.clock.advance(USES_FLUSH_MS);
  await world.uses.flush();
  assert.equal(world.store.writes, writes + 1);
  const stored = world.store.tables.clientKeys.get(clientKey.id);
  assert.equal(stored?.usageCount, 3);
  assert.equal(stored?.lastUsedAt, usedAt);
  assert.equal(stored?.version, 1);
});

test("refused attempts touch neither the count nor the last use", async () => {
  const world = await startWorld();
  const expiresAt = world.clock.now() + HOUR_MS;
  const { secret } = await world.clientKeys.create(world.alice, { name: "a", expiresAt });
  world.clock.advance(HOUR_MS);
  await refused("expired_api_key", () =>
    world.directory.authenticate(presentedKey(secret.reveal()), ""),
  );
  const stranger = world.forms.generate("STANDARD", "SK").reveal();
  await refused("invalid_api_key", () => world.directory.authenticate(presentedKey(stranger), ""));
  assert.equal(world.uses.pending, 0);
});

test("uses that could not be written are kept, and the last ones are written at the stop", async () => {
  const world = await startWorld();
  const { clientKey, secret } = await world.clientKeys.create(world.alice, { name: "a" });
  world.directory.authenticate(presentedKey(secret.reveal()), "");
  world.store.beforeOperation = (name) => {
    if (name === "clientKeys.touch") throw new Error("database is locked");
  };
  await world.uses.flush();
  assert.equal(world.uses.pending, 1);
  assert.equal(world.log.lines.at(-1)?.level, "warn");
  world.directory.authenticate(presentedKey(secret.reveal()), "");
  world.store.beforeOperation = () => undefined;
  await world.directory.stop();
  assert.equal(world.store.tables.clientKeys.get(clientKey.id)?.usageCount, 2);
});

test("the operator's log tells why a known key was refused, once a minute, without the key", async () => {
  const world = await startWorld();
  const { clientKey, secret } = await world.clientKeys.create(world.alice, { name: "a" });
  await world.clientKeys.disable(world.alice, clientKey.id);
  const lines = () => world.log.lines.filter((line) => line.message === "client key refused");
  for (let n = 0; n < 5; n++) {
    await refused("disabled_api_key", () =>
      world.directory.authenticate(presentedKey(secret.reveal()), ""),
    );
  }
  assert.equal(lines().length, 1);
  assert.equal(lines()[0]?.fields["code"], "disabled_api_key");
  world.clock.advance(60_000);
  await refused("disabled_api_key", () =>
    world.directory.authenticate(presentedKey(secret.reveal()), ""),
  );
  assert.equal(lines().length, 2);
  assert.ok(!JSON.stringify(world.log.lines).includes(secret.reveal()));
});

test("a user's deletion ends the user's keys", async () => {
  const world = await startWorld();
  const { secret } = await world.clientKeys.create(world.alice, { name: "a" });
  await world.users.delete(world.root, world.alice.userId ?? "");
  await refused("invalid_api_key", () =>
    world.directory.authenticate(presentedKey(secret.reveal()), ""),
  );
  await world.users.create(world.root, { username: "alice", password: new Secret("12345678") });
});
