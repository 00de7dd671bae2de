import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseRecord } from "./json-record.js";
import { RecurringObjects } from "./recurring-objects.js";

const NAMES = ["total_tokens", "details", "0", "7", "__proto__", "", "a b", "é", '"', "\\"];

const number = fc.oneof(
  fc.nat(),
  fc.integer(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.constantFrom(0, -0, 2 ** 53 + 2, 1e21, 1e-7),
);
const value = fc.letrec<{ any: unknown; object: Record<string, unknown> }>((tie) => ({
  any: fc.oneof(
    { depthSize: "small" },
    number,
    fc.constantFrom(null, true, false, "", "12", 'say "3"', "\\", "1\u0000\n"),
    fc.array(tie("any"), { maxLength: 4 }),
    tie("object"),
  ),
  object: fc.dictionary(fc.constantFrom(...NAMES), tie("any"), { maxKeys: 6 }),
})).object;

/** The same value with other numbers. */
function renumbered(given: unknown, next: () => number): unknown {
  if (typeof given === "number") return next();
  if (Array.isArray(given)) return given.map((each) => renumbered(each, next));
  if (typeof given !== "object" || given === null) return given;
  return JSON.parse(JSON.stringify(given), (_name, each: unknown) =>
    typeof each === "number" ? next() : each,
  );
}

function check(objects: RecurringObjects, object: string, behind: string): void {
  const text = Buffer.from(`xx${object}${behind}`);
  const found = objects.read(text, 2);
  assert.deepEqual(found?.value, parseRecord(object));
  if (found !== undefined) assert.equal(text.toString("utf8", 2, found.end), object);
}

test("an object is read as it stands, however often its shape came before and whatever its numbers", () => {
  const objects = new RecurringObjects();
  const spaces = fc.constantFrom(0, 1);
  fc.assert(
    fc.property(value, fc.array(number, { minLength: 1 }), spaces, (first, numbers, space) => {
      let at = 0;
      const next = (): number => numbers[at++ % numbers.length] ?? 0;
      for (const each of [first, renumbered(first, next), renumbered(first, next), first]) {
        check(objects, JSON.stringify(each, undefined, space), ',"x":1}');
      }
    }),
  );
});

test("what is no JSON is not taken for it, though its like came before", () => {
  const objects = new RecurringObjects();
  const broken = fc.tuple(value, fc.nat(), fc.constantFrom(...'0123-+.eE"{}[],: \\tnul'.split("")));
  fc.assert(
    fc.property(broken, fc.boolean(), ([given, place, byte], isPut) => {
      const text = JSON.stringify(given);
      check(objects, text, "");
      const at = place % text.length;
      const odd = text.slice(0, at) + byte + text.slice(isPut ? at : at + 1);
      const bytes = Buffer.from(odd);
      const found = objects.read(bytes, 0);
      if (found === undefined) assert.ok(!odd.startsWith("{") || parseRecord(odd) === undefined);
      else assert.deepEqual(found.value, parseRecord(bytes.toString("utf8", 0, found.end)));
    }),
  );
});

for (const odd of [
  '{"a":01}',
  '{"a":1.}',
  '{"a":-}',
  '{"a":.5}',
  '{"a":1e}',
  '{"a":1 2}',
  '{"a":12-3}',
  '{"a":0123}',
  '{"a":}',
  '{"a":1',
  '{"a":"1}',
]) {
  test(`${odd} is no object, after one of its shape as well`, () => {
    const objects = new RecurringObjects();
    assert.equal(objects.read(Buffer.from(odd), 0), undefined);
    check(objects, '{"a":5}', "");
    assert.equal(objects.read(Buffer.from(odd), 0), undefined);
  });
}

test("a name that stands twice has its last value", () => {
  const objects = new RecurringObjects();
  for (const text of [
    '{"a":1,"a":2}',
    '{"a":3,"a":{"b":4}}',
    '{"a":{"b":4},"a":6}',
    '{"a":8,"a":9}',
  ]) {
    check(objects, text, "");
  }
});

test("more shapes than are kept are read all the same, and so are long objects", () => {
  const objects = new RecurringObjects();
  const shapes = Array.from({ length: 30 }, (_each, i) => `{"name_${String(i)}":${String(i)}}`);
  for (const text of [...shapes, ...shapes]) check(objects, text, "}");
  const long = JSON.stringify({ a: "x".repeat(5000), b: 7 });
  check(objects, long, "}");
  check(objects, long.replace("7", "8"), "}");
});
