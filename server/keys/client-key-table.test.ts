import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import test from "node:test";
import * as fc from "fast-check";
import { SCOPES, type KnownClientKey } from "../core/client-key.js";
import { UNLIMITED } from "../core/limits.js";
import { ByteArena } from "./byte-arena.js";
import { ClientKeyReader, ClientKeyWriter } from "./client-key-record.js";
import { ClientKeyTable } from "./client-key-table.js";
import { HashIndex } from "./hash-index.js";
import { packId, unpackId } from "./packed-id.js";

const mac = (text: string): string => createHash("sha256").update(text).digest("hex");
const time = fc.integer({ min: 0, max: 253_402_300_799_999 });
const maybe = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(arbitrary);
const amount = maybe(fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }));

/** Ids as the server makes them, which are kept in 16 bytes. */
const ulid = (prefix: string): fc.Arbitrary<string> =>
  fc.stringMatching(/^[0-7][0-9a-hjkmnp-tv-z]{25}$/).map((body) => prefix + body);

const plain = { noNullPrototype: true } as const;

const budget = fc.record(
  {
    period: fc.constantFrom("DAY" as const, "WEEK" as const, "MONTH" as const),
    costMicros: amount,
    tokens: amount,
  },
  plain,
);

const limits = fc.record(
  {
    requestsPerMinute: amount,
    tokensPerMinute: amount,
    concurrency: amount,
    budgets: fc.array(budget, { maxLength: 3 }),
  },
  plain,
);

const clientKeyFields = {
  id: fc.oneof(fc.stringMatching(/^ck_[0-9a-z]{1,26}$/), ulid("ck_")),
  ownerId: fc.oneof(fc.stringMatching(/^usr_[0-9a-z]{1,26}$/), ulid("usr_")),
  kind: fc.constantFrom("STANDARD" as const, "SUPER" as const, "BYOR" as const),
  mac: fc.string().map(mac),
  pepperVersion: fc.integer({ min: 0, max: 1000 }),
  previousMac: maybe(fc.string().map(mac)),
  graceUntil: maybe(time),
  prefix: fc.string({ unit: "grapheme", maxLength: 20 }),
  name: fc.string({ unit: "grapheme", maxLength: 100 }),
  enabled: fc.boolean(),
  revokedAt: maybe(time),
  expiresAt: maybe(time),
  modelAllowlist: fc.array(fc.string({ unit: "grapheme" }), { maxLength: 200, size: "max" }),
  ipAllowlist: fc.array(fc.ipV6(), { maxLength: 5 }),
  scopes: fc.uniqueArray(fc.constantFrom(...SCOPES)),
  limits: fc.oneof(fc.constant(UNLIMITED), limits),
};

const clientKey: fc.Arbitrary<KnownClientKey> = fc.record(clientKeyFields, plain);

test("a client key written as bytes reads back as it was", () => {
  const writer = new ClientKeyWriter();
  const reader = new ClientKeyReader();
  fc.assert(
    fc.property(clientKey, fc.integer({ min: 0, max: 50 }), (key, offset) => {
      const page = Buffer.alloc(1 << 20);
      page.set(writer.write(key), offset);
      assert.deepEqual(reader.read(page, offset, key.mac), key);
    }),
    { numRuns: 200 },
  );
});

test("an id of the server's own form takes 16 bytes, any other none", () => {
  const into = Buffer.alloc(32);
  fc.assert(
    fc.property(ulid("ck_"), fc.integer({ min: 0, max: 16 }), (id, at) => {
      assert.ok(packId("ck_", id, into, at));
      assert.equal(unpackId("ck_", into, at), id);
    }),
  );
  const digits = "0123456789abcdefghjkmnpqrs";
  assert.ok(packId("ck_", `ck_${digits}`, into, 0));
  for (const id of [
    `ck-${digits}`,
    `ck_${digits}0`,
    `ck_${digits.slice(1)}`,
    `ck_8${digits.slice(1)}`,
    `ck_${digits.slice(1)}i`,
    `ck_${digits.slice(1)}Z`,
    `ck_${digits.slice(1)}名`,
    `ck_0名${digits.slice(2)}`,
    `ck_${digits.slice(0, 12)}-${digits.slice(13)}`,
  ]) {
    assert.equal(packId("ck_", id, into, 0), false, id);
  }
});

test("the table knows exactly what a Map would, through any sequence of changes", () => {
  const step = fc.record({
    id: fc.integer({ min: 0, max: 30 }),
    secret: fc.integer({ min: 0, max: 1_000_000 }),
    name: fc.string({ unit: "grapheme", maxLength: 40 }),
    remove: fc.boolean(),
  });
  fc.assert(
    fc.property(clientKey, fc.array(step, { maxLength: 200, size: "max" }), (base, steps) => {
      const table = new ClientKeyTable();
      const model = new Map<string, KnownClientKey>();
      for (const [index, { id, secret, name, remove }] of steps.entries()) {
        // As in the database, no two keys have one MAC.
        const key = { ...base, id: `ck_${id}`, name, mac: mac(`${secret} ${index}`) };
        const row = table.rowOfId(key.id);
        assert.equal(row >= 0, model.has(key.id));
        if (remove) {
          if (row >= 0) table.remove(row);
          model.delete(key.id);
        } else {
          table.put(key);
          model.set(key.id, key);
        }
      }
      assert.equal(table.size, model.size);
      for (const key of model.values()) {
        assert.deepEqual(table.keyAt(table.rowOfId(key.id)), key);
        assert.equal(table.rowOfMac(Buffer.from(key.mac, "hex")), table.rowOfId(key.id));
      }
      assert.equal(table.keysOf(base.ownerId).length, model.size);
      assert.equal(table.rowOfMac(Buffer.from(mac("never stored"), "hex")), -1);
    }),
    { numRuns: 100 },
  );
});

test("a replaced MAC is forgotten", () => {
  const table = new ClientKeyTable();
  const [base] = fc.sample(clientKey, 1);
  assert(base !== undefined);
  table.put({ ...base, mac: mac("one") });
  table.put({ ...base, mac: mac("two") });
  assert.equal(table.rowOfMac(Buffer.from(mac("one"), "hex")), -1);
  assert.equal(table.rowOfMac(Buffer.from(mac("two"), "hex")), table.rowOfId(base.id));
});

test("expiring keys are found by their date, after and until", () => {
  const table = new ClientKeyTable();
  const [base] = fc.sample(clientKey, 1);
  assert(base !== undefined);
  for (const expiresAt of [null, 10, 20, 30, 2_000_000, 9e15]) {
    table.put({ ...base, id: `ck_${String(expiresAt)}`, mac: mac(String(expiresAt)), expiresAt });
  }
  const found = table.expiringWithin(10, 30).map((key) => key.id);
  assert.deepEqual(found.toSorted(), ["ck_20", "ck_30"]);
  const later = table.expiringWithin(30, Infinity).map((key) => key.id);
  assert.deepEqual(later.toSorted(), ["ck_2000000", "ck_9000000000000000"]);
  assert.deepEqual(table.expiringWithin(9e15, Infinity), []);
});

test("the index finds every entry although all hashes are alike", () => {
  const names: string[] = [];
  const index = new HashIndex<string>({
    hashOf: () => 7,
    matches: (entry, name) => names[entry] === name,
  });
  for (let n = 0; n < 100; n++) {
    names.push(`n${n}`);
    index.add(n);
  }
  for (let n = 0; n < 100; n += 2) index.remove(n);
  for (let n = 0; n < 100; n++) assert.equal(index.find(7, `n${n}`), n % 2 === 0 ? -1 : n);
  assert.equal(index.size, 50);
  assert.throws(() => index.remove(0));
});

test("the arena gives freed space to records of the same size, and grows no further", () => {
  const arena = new ByteArena();
  const record = new Uint8Array(1000).fill(1);
  for (let n = 0; n < 10_000; n++) arena.release(arena.put(record), record.length);
  assert.equal(arena.bytes, 1 << 20);
  assert.throws(() => arena.put(new Uint8Array((1 << 20) + 1)));
});
