import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import test from "node:test";
import * as fc from "fast-check";
import { SCOPES, type ClientKey } from "../core/client-key.js";
import { UNLIMITED } from "../core/limits.js";
import { ByteArena } from "./byte-arena.js";
import { ClientKeyReader, ClientKeyWriter } from "./client-key-record.js";
import { ClientKeyTable } from "./client-key-table.js";
import { HashIndex } from "./hash-index.js";

const mac = (text: string): string => createHash("sha256").update(text).digest("hex");
const time = fc.integer({ min: 0, max: 253_402_300_799_999 });
const maybe = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(arbitrary);
const amount = maybe(fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }));

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
  id: fc.stringMatching(/^ck_[0-9a-z]{1,26}$/),
  ownerId: fc.stringMatching(/^usr_[0-9a-z]{1,26}$/),
  kind: fc.constantFrom("STANDARD" as const, "SUPER" as const, "BYOR" as const),
  format: fc.constantFrom("SK" as const, "UUID" as const, "ALNUM32" as const),
  mac: fc.string().map(mac),
  pepperVersion: fc.integer({ min: 0, max: 1000 }),
  previousMac: maybe(fc.string().map(mac)),
  graceUntil: maybe(time),
  sealedCopy: fc.constant(null),
  prefix: fc.string({ unit: "grapheme", maxLength: 20 }),
  name: fc.string({ unit: "grapheme", maxLength: 100 }),
  description: fc.string({ unit: "grapheme", maxLength: 500 }),
  enabled: fc.boolean(),
  revokedAt: maybe(time),
  expiresAt: maybe(time),
  modelAllowlist: fc.array(fc.string({ unit: "grapheme" }), { maxLength: 200 }),
  ipAllowlist: fc.array(fc.ipV6(), { maxLength: 5 }),
  scopes: fc.uniqueArray(fc.constantFrom(...SCOPES)),
  limits: fc.oneof(fc.constant(UNLIMITED), limits),
  createdAt: time,
  updatedAt: time,
  rotatedAt: maybe(time),
  lastUsedAt: maybe(time),
  usageCount: fc.integer({ min: 0, max: 2 ** 47 }),
  version: fc.integer({ min: 1, max: 2 ** 31 }),
};

const clientKey: fc.Arbitrary<ClientKey> = fc.record(clientKeyFields, plain);

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

test("the table knows exactly what a Map would, through any sequence of changes", () => {
  const step = fc.record({
    id: fc.integer({ min: 0, max: 30 }),
    secret: fc.integer({ min: 0, max: 1_000_000 }),
    name: fc.string({ unit: "grapheme", maxLength: 40 }),
    remove: fc.boolean(),
  });
  fc.assert(
    fc.property(clientKey, fc.array(step, { maxLength: 200 }), (base, steps) => {
      const table = new ClientKeyTable();
      const model = new Map<string, ClientKey>();
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
  for (const expiresAt of [null, 10, 20, 30]) {
    table.put({ ...base, id: `ck_${String(expiresAt)}`, mac: mac(String(expiresAt)), expiresAt });
  }
  const found = table.expiringWithin(10, 30).map((key) => key.id);
  assert.deepEqual(found.toSorted(), ["ck_20", "ck_30"]);
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
