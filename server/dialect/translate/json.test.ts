import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { parseJson, parseObject, writeJson } from "./json.js";

test("numbers that JavaScript would change keep every digit", () => {
  const text =
    '{"id":12345678901234567890,"ratio":1.0,"tiny":-1e-400,"zero":-0,"plain":42,"deep":[{"n":0.10}]}';
  assert.equal(writeJson(parseJson(text)), text);
});

test("text that looks like a marked number stays text", () => {
  for (const odd of ["\uE000n5", "\uE000", '\\"', "\uE000sx", "12345678901234567890"]) {
    const text = `{"a":${JSON.stringify(odd)},"big":12345678901234567890}`;
    assert.equal(writeJson(parseJson(text)), text);
    const escaped = String.raw`{"a":"\uE000n5","big":12345678901234567890}`;
    assert.equal((parseObject(escaped) ?? {})["a"], "\uE000n5");
  }
});

test("what is no JSON is refused, however long its numbers", () => {
  for (const text of ["{", '{"a":01234567890123456789}', '{"a":1.2.3}', "[1", ""]) {
    assert.throws(() => parseJson(text), SyntaxError);
    assert.equal(parseObject(text), undefined);
  }
});

test("any JSON value is read as JavaScript reads it", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const text = JSON.stringify(value);
      assert.deepEqual(JSON.parse(writeJson(parseJson(text))), JSON.parse(text));
    }),
  );
});
