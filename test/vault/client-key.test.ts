import assert from "node:assert/strict";
import { createHash, createHmac } from "node:crypto";
import test from "node:test";
import { Secret } from "../../server/core/secret.js";
import { systemRandom } from "../../server/core/random.js";
import { generateClientKey } from "../../server/vault/client-key-format.js";
import type { Vault } from "../../server/vault/vault.js";
import { createTestVault } from "./fixtures.js";

/** What an authenticator does: looks the MACs up, whichever fits first. */
function authenticates(vault: Vault, stored: ReadonlySet<string>, presented: string): boolean {
  return vault.clientKeyMacs(presented).some(({ mac }) => stored.has(mac));
}

test("a key authenticates under every pepper in use, the newest first", async (t) => {
  const { vault, restart } = await createTestVault(t);
  const old = generateClientKey(systemRandom, "STANDARD", "SK").reveal();
  const stored = new Set([vault.clientKeyMac(old).mac]);
  await vault.addVersions(["PEPPER"]);
  const fresh = generateClientKey(systemRandom, "STANDARD", "UUID").reveal();
  stored.add(vault.clientKeyMac(fresh).mac);
  assert.equal(vault.clientKeyMac(fresh).pepperVersion, 2);
  assert.deepEqual(
    vault.clientKeyMacs(fresh).map((each) => each.pepperVersion),
    [2, 1, 0, 0],
  );
  for (const running of [vault, await restart()]) {
    assert.ok(authenticates(running, stored, old));
    assert.ok(authenticates(running, stored, fresh));
    assert.ok(!authenticates(running, stored, `${fresh}x`));
  }
  await vault.retireOld(["PEPPER"]);
  assert.ok(!authenticates(vault, stored, old));
  assert.ok(authenticates(vault, stored, fresh));
});

test("rows that somebody without the pepper puts in authenticate nobody", async (t) => {
  const { vault } = await createTestVault(t);
  const theirs = "attacker-knows-this-key";
  const sha256 = createHash("sha256").update(theirs).digest("hex");
  const forged = new Set([
    sha256,
    theirs,
    createHmac("sha256", "").update(theirs).digest("hex"),
    createHmac("sha256", new Uint8Array(32)).update(theirs).digest("hex"),
    createHash("sha256").update(sha256).digest("hex"),
  ]);
  assert.ok(!authenticates(vault, forged, theirs));
});

test("a key imported as its SHA-256 authenticates, and its hash is not in the database", async (t) => {
  const { vault } = await createTestVault(t);
  const key = "a1b2c3d4-e5f6-7890-abcd-ef1234567890";
  const sha256 = createHash("sha256").update(key).digest("hex");
  const imported = vault.importedClientKeyMac(sha256.toUpperCase());
  assert.equal(imported.pepperVersion, 0);
  assert.notEqual(imported.mac, sha256);
  assert.ok(authenticates(vault, new Set([imported.mac]), key));
  await vault.addVersions(["PEPPER"]);
  assert.ok(authenticates(vault, new Set([imported.mac]), key));
  // Presenting the hash itself, as from a stolen database of the old system, is not presenting the key.
  assert.ok(!authenticates(vault, new Set([imported.mac]), sha256));
});

test("two vaults share no MAC and no fingerprint", async (t) => {
  const [one, two] = [await createTestVault(t), await createTestVault(t)];
  assert.notEqual(one.vault.clientKeyMac("k").mac, two.vault.clientKeyMac("k").mac);
  const secret = new Secret("sk-same");
  assert.notEqual(one.vault.fingerprint(secret), two.vault.fingerprint(secret));
  assert.notEqual(one.vault.auditMac("00"), two.vault.auditMac("00"));
});

test("an audit MAC fits its hash alone", async (t) => {
  const { vault } = await createTestVault(t);
  const mac = vault.auditMac("aa".repeat(32));
  assert.ok(vault.auditMacFits("aa".repeat(32), mac));
  assert.ok(!vault.auditMacFits("ab".repeat(32), mac));
  assert.ok(!vault.auditMacFits("aa".repeat(32), ""));
  await vault.addVersions(["AUDIT"]);
  assert.ok(vault.auditMacFits("aa".repeat(32), mac));
});
