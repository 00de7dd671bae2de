import assert from "node:assert/strict";
import test from "node:test";
import * as fc from "fast-check";
import { JsonTexts } from "./json-texts.js";
import { JsonWriter } from "./json-writer.js";

type Value = string | number | boolean | null | readonly Value[];

const value = fc.letrec<{ value: Value; list: readonly Value[] }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small" },
    fc.string({ unit: "binary", maxLength: 80 }),
    fc.string({ maxLength: 80, size: "max" }),
    fc.maxSafeNat(),
    fc.integer(),
    fc.double(),
    fc.boolean(),
    fc.constantFrom(null, 0, 9, 10, 9_999_999, 10_000_000, 2 ** 32, Number.NaN, "\ud800", '"\\'),
    tie("list"),
  ),
  list: fc.array(tie("value"), { maxLength: 6 }),
}));

/** Texts as such and as words, which must make no difference. */
function write(out: JsonWriter, part: Value): void {
  if (part === null) out.word(null);
  else if (typeof part === "string" && out.length % 2 === 0) out.word(part);
  else if (typeof part === "string") out.text(part);
  else if (typeof part === "number") out.number(part);
  else if (typeof part === "boolean") out.flag(part);
  else {
    out.openList();
    for (const each of part) write(out, each);
    out.closeList();
  }
}

test("whatever values are in a list, what is written is what JSON.stringify writes", () => {
  const out = new JsonWriter(1, new JsonTexts());
  fc.assert(
    fc.property(value.list, (list) => {
      out.moveTo(0);
      write(out, list);
      assert.equal(out.written.toString(), `${JSON.stringify(list)},`);
    }),
    { numRuns: 500 },
  );
});

test("whatever has been written can be written again", () => {
  const out = new JsonWriter(1, new JsonTexts());
  fc.assert(
    fc.property(value.list, (list) => {
      out.moveTo(0);
      write(out, []);
      const start = out.length;
      write(out, list);
      out.again(out.writtenFrom(start));
      const json = `${JSON.stringify(list)},`;
      assert.equal(out.written.toString(), `[],${json}${json}`);
    }),
  );
});

test("more words than are kept are written all the same", () => {
  const out = new JsonWriter(1, new JsonTexts());
  const words = Array.from({ length: 5000 }, (_, index) => `word ${index % 2500}`);
  write(out, []);
  for (const word of words) out.word(word);
  assert.equal(out.written.toString(), `[],${words.map((word) => `"${word}",`).join("")}`);
});

test("a place takes a number later, and another one after that", () => {
  const out = new JsonWriter(1, new JsonTexts());
  out.openList();
  out.text("豆包");
  const place = out.place();
  out.number(null);
  out.closeList();
  for (const number of [7, 2 ** 32 - 1, 0]) {
    out.fill(place, number);
    const list: unknown = JSON.parse(out.written.subarray(0, -1).toString());
    assert.deepEqual(list, ["豆包", number, null]);
  }
});
