import assert from "node:assert/strict";
import test from "node:test";
import * as fc from "fast-check";
import { Secret } from "../../server/core/secret.js";
import type { SealBinding, SealedSecret } from "../../server/core/sealed.js";
import { sealBox } from "../../server/vault/box.js";
import { provisionalMac, rowMac } from "../../server/vault/row-mac.js";
import type { Refusal, Vault } from "../../server/vault/vault.js";
import { BINDING, createTestVault, flipBit, isFault, sealedCopy } from "./fixtures.js";

interface Row {
  binding: SealBinding;
  sealed: SealedSecret;
}

const ORIGINS = ["https://api.openai.com", "https://api.anthropic.com", "https://evil.example"];

/** Twenty rows of three owners; every secret is another one. */
async function fill(vault: Vault): Promise<Row[]> {
  const rows: Row[] = [];
  for (let index = 0; index < 20; index++) {
    const binding: SealBinding = {
      recordId: `pk_${index}`,
      ownerId: `usr_${index % 3}`,
      providerId: `prv_${index % 4}`,
      origin: ORIGINS[index % 2]!,
      visibility: index % 2 === 0 ? "PRIVATE" : "PUBLIC",
    };
    rows.push({ binding, sealed: await vault.seal(new Secret(`sk-secret-${index}`), binding) });
  }
  return rows;
}

type Mutation = (rows: Row[], at: number, other: number) => void;

test("2,000 mutated rows: none is opened, and each is announced", async (t) => {
  const { vault, sodium, random } = await createTestVault(t);
  const rows = await fill(vault);
  const refusals: Refusal[] = [];
  vault.onRefusal((refusal) => refusals.push(refusal));
  const publicKey = sodium.keyPair(random.bytes(32)).publicKey;
  const theirKey = { version: 1, key: random.bytes(32) };
  const forgedText = new Secret("sk-forged-by-somebody-else");

  const bind =
    (at: number, change: Partial<SealBinding>): Mutation =>
    (all) => {
      const row = all[at]!;
      row.binding = { ...row.binding, ...change };
    };
  const kinds: readonly Mutation[] = [
    // Swapped between two rows: the whole secret, its box alone, its MAC alone.
    (all, at, other) => (all[at]!.sealed = sealedCopy(rows[other]!.sealed)),
    (all, at, other) =>
      (all[at]!.sealed = { ...all[at]!.sealed, ciphertext: rows[other]!.sealed.ciphertext }),
    (all, at, other) =>
      (all[at]!.sealed = { ...all[at]!.sealed, rowMac: rows[other]!.sealed.rowMac }),
    // Re-pointed, given away, published, moved.
    (all, at) => bind(at, { origin: "https://evil.example" })(all, at, at),
    (all, at) => bind(at, { origin: `${all[at]!.binding.origin}:8443` })(all, at, at),
    (all, at) => bind(at, { ownerId: "usr_attacker" })(all, at, at),
    (all, at) => bind(at, { providerId: "prv_attacker" })(all, at, at),
    (all, at) => bind(at, { recordId: "pk_copy" })(all, at, at),
    (all, at) => {
      const visibility = all[at]!.binding.visibility === "PUBLIC" ? "PRIVATE" : "PUBLIC";
      bind(at, { visibility })(all, at, at);
    },
    // Forged with the public key, which everyone may know; with and without a MAC.
    (all, at) => {
      const pair = all[at]!;
      const context = { binding: pair.binding, vaultKeyVersion: 1 };
      const ciphertext = sealBox(sodium, forgedText, context, publicKey);
      pair.sealed = { ...pair.sealed, ciphertext };
    },
    (all, at) => {
      const { binding } = all[at]!;
      const box = { binding, vaultKeyVersion: 1, ciphertext: rows[at]!.sealed.ciphertext };
      all[at]!.sealed = { ...box, rowMac: rowMac(box, theirKey) };
    },
    (all, at) => {
      const { binding } = all[at]!;
      const box = { binding, vaultKeyVersion: 1, ciphertext: rows[at]!.sealed.ciphertext };
      all[at]!.sealed = { ...box, rowMac: provisionalMac(box, theirKey.key) };
    },
    (all, at) => (all[at]!.sealed = { ...all[at]!.sealed, rowMac: new Uint8Array(0) }),
    (all, at) => (all[at]!.sealed = { ...all[at]!.sealed, ciphertext: new Uint8Array(0) }),
    (all, at) => (all[at]!.sealed = { ...all[at]!.sealed, vaultKeyVersion: 2 }),
    (all, at) =>
      (all[at]!.sealed = {
        ...all[at]!.sealed,
        ciphertext: all[at]!.sealed.ciphertext.slice(0, -1),
      }),
  ];

  let accepted = 0;
  const index = fc.integer({ min: 0, max: rows.length - 1 });
  const kind = fc.integer({ min: 0, max: kinds.length });
  const samples = fc.sample(fc.tuple(kind, index, index, fc.nat(1_000_000)), 2000);
  for (const [which, at, second, bit] of samples) {
    const other = second === at ? (at + 1) % rows.length : second;
    const mutated = rows.map((row) => ({ ...row }));
    const mutate = kinds[which];
    if (mutate === undefined) {
      const { sealed } = mutated[at]!;
      const ciphertext = flipBit(sealed.ciphertext, bit % (sealed.ciphertext.length * 8));
      mutated[at]!.sealed = { ...sealed, ciphertext };
    } else {
      mutate(mutated, at, other);
    }
    const row = mutated[at]!;
    const opened = await vault.open(row.sealed, row.binding).catch((thrown: unknown) => {
      assert.ok(isFault("secret_unreadable")(thrown), String(thrown));
      return undefined;
    });
    if (opened !== undefined) accepted++;
  }
  assert.equal(accepted, 0);
  assert.equal(refusals.length, 2000);
  for (const [at, row] of rows.entries()) {
    assert.equal((await vault.open(row.sealed, row.binding)).reveal(), `sk-secret-${at}`);
  }
});

test("every single flipped bit of a row is refused", async (t) => {
  const { vault } = await createTestVault(t);
  const sealed = await vault.seal(new Secret(`sk-proj-${"a".repeat(100)}`), BINDING);
  const parts = ["ciphertext", "rowMac"] as const;
  let flips = 0;
  for (const part of parts) {
    for (let bit = 0; bit < sealed[part].length * 8; bit++) {
      const flipped = { ...sealed, [part]: flipBit(sealed[part], bit) };
      await assert.rejects(vault.open(flipped, BINDING), isFault("secret_unreadable"));
      flips++;
    }
  }
  for (let bit = 0; bit < 31; bit++) {
    const vaultKeyVersion = sealed.vaultKeyVersion ^ (1 << bit);
    const flipped = { ...sealed, vaultKeyVersion };
    await assert.rejects(vault.open(flipped, BINDING), isFault("secret_unreadable"));
  }
  assert.ok(flips > 1600);
});

test("the box alone, without the row MAC, refuses another row and every flipped bit", async (t) => {
  // The second wall: whoever had the row MAC key could still not move a secret to another origin.
  const { vault } = await createTestVault(t);
  vault.lock();
  const sealed = await vault.seal(new Secret("sk-second-wall"), BINDING);
  await vault.unlock();
  for (const change of [
    { origin: "https://evil.example" },
    { ownerId: "usr_02" },
    { providerId: "prv_02" },
    { recordId: "pk_02" },
  ]) {
    const moved = vault.adopt(sealed, { ...BINDING, ...change }, true);
    await assert.rejects(moved, isFault("secret_unreadable"));
  }
  for (let bit = 0; bit < sealed.ciphertext.length * 8; bit++) {
    const flipped = { ...sealed, ciphertext: flipBit(sealed.ciphertext, bit) };
    await assert.rejects(vault.adopt(flipped, BINDING, true), isFault("secret_unreadable"));
  }
});

test("a refusal says why a secret is not used and what to do, and of which row", async (t) => {
  const { vault, restart } = await createTestVault(t);
  const sealed = await vault.seal(new Secret("sk-sealed"), BINDING);
  vault.lock();
  const enrolled = await vault.seal(new Secret("sk-enrolled"), BINDING);
  await vault.unlock();
  const refusals: Refusal[] = [];
  const other = await restart();
  for (const each of [vault, other]) each.onRefusal((refusal) => refusals.push(refusal));
  const withFirst = (bytes: Uint8Array, byte: number, at = 0): Uint8Array => {
    const changed = Uint8Array.from(bytes);
    changed[at] = byte;
    return changed;
  };
  const { rowMac: mac } = sealed;
  const { ciphertext: box } = enrolled;
  const cases: readonly (readonly [Refusal["reason"], RegExp, () => Promise<unknown>])[] = [
    [
      "UNKNOWN_FORMAT",
      /upgrade/,
      () => vault.open({ ...sealed, rowMac: withFirst(mac, 9) }, BINDING),
    ],
    ["UNKNOWN_FORMAT", /upgrade/, () => vault.open({ ...sealed, rowMac: mac.slice(1) }, BINDING)],
    ["UNKNOWN_FORMAT", /upgrade/, () => vault.open({ ...sealed, rowMac: Buffer.of() }, BINDING)],
    [
      "UNKNOWN_KEY_VERSION",
      /restore the keyring/,
      () => vault.open({ ...sealed, rowMac: withFirst(mac, 9, 4) }, BINDING),
    ],
    [
      "ROW_ALTERED",
      /restore a backup/,
      () => vault.open(sealed, { ...BINDING, visibility: "PUBLIC" }),
    ],
    ["UNCONFIRMED", /confirm it/, () => other.open(enrolled, BINDING)],
    [
      "UNKNOWN_FORMAT",
      /upgrade/,
      () => vault.adopt({ ...enrolled, ciphertext: withFirst(box, 9) }, BINDING, true),
    ],
    [
      "UNKNOWN_KEY_VERSION",
      /restore the keyring/,
      () => vault.adopt({ ...enrolled, vaultKeyVersion: 9 }, BINDING, true),
    ],
    [
      "ROW_ALTERED",
      /restore a backup/,
      () => vault.adopt({ ...enrolled, ciphertext: withFirst(box, 9, 4) }, BINDING, true),
    ],
    [
      "BOX_UNREADABLE",
      /restore a backup/,
      () => vault.adopt({ ...enrolled, ciphertext: box.slice(0, -1) }, BINDING, true),
    ],
    [
      "BOX_MISPLACED",
      /belongs to another record/,
      () => vault.adopt(enrolled, { ...BINDING, origin: "https://evil.example" }, true),
    ],
  ];
  for (const [reason, remedy, use] of cases) {
    await assert.rejects(use, (thrown: Error) => {
      assert.ok(isFault("secret_unreadable")(thrown), String(thrown));
      assert.match(thrown.message, /The secret of pk_01 is not used: /);
      assert.match(thrown.message, remedy);
      return true;
    });
    assert.equal(refusals.at(-1)?.reason, reason);
  }
  assert.equal(refusals.length, cases.length);
});

test("a rebound secret opens in its new row only", async (t) => {
  const { vault } = await createTestVault(t);
  const secret = new Secret("sk-rebound");
  const sealed = await vault.seal(secret, BINDING);
  const published = { ...BINDING, visibility: "PUBLIC" as const };
  const changed = await vault.rebind(sealed, BINDING, published);
  assert.deepEqual(changed.ciphertext, sealed.ciphertext);
  assert.equal((await vault.open(changed, published)).reveal(), "sk-rebound");
  await assert.rejects(vault.open(changed, BINDING), isFault("secret_unreadable"));
  const given = { ...published, ownerId: "usr_02", origin: "https://example.org" };
  const moved = await vault.rebind(changed, published, given);
  assert.equal((await vault.open(moved, given)).reveal(), "sk-rebound");
  await assert.rejects(vault.open(moved, published), isFault("secret_unreadable"));
  await assert.rejects(vault.rebind(sealed, published, given), isFault("secret_unreadable"));
});

test("empty and oversized secrets are refused, the largest one fits", async (t) => {
  const { vault } = await createTestVault(t);
  await assert.rejects(vault.seal(new Secret(""), BINDING), isFault("invalid_argument"));
  const huge = new Secret("x".repeat(12 * 1024 + 1));
  await assert.rejects(vault.seal(huge, BINDING), isFault("invalid_argument"));
  const text = "ключ".repeat(1500);
  const sealed = await vault.seal(new Secret(text), BINDING);
  assert.equal((await vault.open(sealed, BINDING)).reveal(), text);
});
