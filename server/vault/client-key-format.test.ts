import assert from "node:assert/strict";
import test from "node:test";
import * as fc from "fast-check";
import type { ClientKeyFormat, ClientKeyKind } from "../core/client-key.js";
import { systemRandom } from "../core/random.js";
import { clientKeyShape, generateClientKey, shownPrefix } from "./client-key-format.js";

const MINTABLE: readonly (readonly [ClientKeyKind, ClientKeyFormat])[] = [
  ["STANDARD", "SK"],
  ["STANDARD", "UUID"],
  ["STANDARD", "ALNUM32"],
  ["SUPER", "SK"],
  ["BYOR", "SK"],
  ["BYOR", "UUID"],
];
const BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

function mint(kind: ClientKeyKind, format: ClientKeyFormat): string {
  return generateClientKey(systemRandom, kind, format).reveal();
}

test("every minted key has its documented form and is recognised", () => {
  const forms = {
    SK: /^sk-lk_[0-9A-Za-z]{46}$/,
    UUID: /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    ALNUM32: /^[0-9A-Za-z]{32}$/,
  };
  for (const [kind, format] of MINTABLE) {
    for (let round = 0; round < 200; round++) {
      const key = mint(kind, format);
      assert.match(key, kind === "SUPER" ? /^sk-super-lk_[0-9A-Za-z]{46}$/ : forms[format]);
      assert.equal(clientKeyShape(key), format);
    }
  }
});

test("a key with any one character changed, lost or doubled is refused before a look-up", () => {
  for (const kind of ["STANDARD", "SUPER"] as const) {
    const key = mint(kind, "SK");
    const start = key.indexOf("_") + 1;
    for (let at = start; at < key.length; at++) {
      for (const other of BASE62) {
        if (other === key[at]) continue;
        assert.equal(clientKeyShape(key.slice(0, at) + other + key.slice(at + 1)), undefined);
      }
      assert.equal(clientKeyShape(key.slice(0, at) + key.slice(at + 1)), undefined);
      assert.equal(clientKeyShape(key.slice(0, at) + key[at] + key.slice(at)), undefined);
    }
  }
});

test("random text in our own form is refused all but once in 2^32", () => {
  const body = fc.string({
    unit: fc.constantFrom(...BASE62.split("")),
    minLength: 46,
    maxLength: 46,
  });
  const prefix = fc.constantFrom("sk-lk_", "sk-super-lk_");
  fc.assert(
    fc.property(prefix, body, (head, text) => clientKeyShape(head + text) === undefined),
    { numRuns: 2000 },
  );
});

test("arbitrary text never throws and never passes as one of our forms", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 300 }), (text) => {
      const shape = clientKeyShape(text);
      return shape === undefined || shape === "FOREIGN";
    }),
    { numRuns: 2000 },
  );
});

test("keys of other systems are told from our own and from garbage", () => {
  const foreign = [
    "a1b2c3d4-e5f6-7890-abcd-ef1234567890",
    `sk-${"0a".repeat(24)}`,
    `sk-super-${"a_-Z".repeat(10)}abc`,
    "my-static-token",
    "8_chars.",
    `${"x".repeat(31)}-`,
    "x".repeat(256),
  ];
  for (const key of foreign) {
    assert.equal(clientKeyShape(key), "FOREIGN");
  }
  for (const garbage of [
    "",
    "short",
    "with space in it",
    "x".repeat(257),
    "ключ-ключ-ключ",
    "a\nb\nc\nd\n",
    `${"x".repeat(31)}\n`,
  ]) {
    assert.equal(clientKeyShape(garbage), undefined);
  }
});

test("what listings show names the kind and four characters, and never more", () => {
  const shown = (key: string) => shownPrefix(key);
  const superKey = mint("SUPER", "SK");
  assert.equal(shown(superKey), `sk-super-${superKey.slice(12, 16)}`);
  const standard = mint("STANDARD", "SK");
  assert.equal(shown(standard), standard.slice(0, 10));
  const uuid = mint("STANDARD", "UUID");
  assert.equal(shown(uuid), `${uuid.slice(0, 4)}…`);
  const alnum = mint("STANDARD", "ALNUM32");
  assert.equal(shown(alnum), `${alnum.slice(0, 4)}…`);
  assert.equal(shown(alnum.slice(1)), "••••");
  assert.equal(shown(`sk-${"ab12".repeat(12)}`), "sk-ab12");
  assert.equal(shown(`sk-super-abc1${"x".repeat(39)}`), "sk-super-abc1");
  assert.equal(shown("hunter2hunter2"), "••••");
});

test("digits are drawn evenly: bytes that would favour some are drawn again", () => {
  const bytes = Array.from({ length: 256 }, (_, value) => value);
  const counts = new Map<string, number>();
  let at = 0;
  const random = {
    bytes: (count: number) => Uint8Array.from({ length: count }, () => bytes[at++ % 256]!),
  };
  for (let round = 0; round < 31; round++) {
    const key = generateClientKey(random, "STANDARD", "ALNUM32").reveal();
    for (const digit of key) counts.set(digit, (counts.get(digit) ?? 0) + 1);
  }
  // 31 keys are 992 digits: four rounds of 248 bytes, so each digit came up exactly 16 times.
  assert.equal(counts.size, 62);
  assert.deepEqual(new Set(counts.values()), new Set([16]));
});
