import assert from "node:assert/strict";
import { test } from "node:test";
import { hasVectorLists, VectorEncoder, withEncodedVectors } from "./vectors.js";

function base64(...numbers: readonly number[]): string {
  return Buffer.from(Float32Array.from(numbers).buffer).toString("base64");
}

function encoded(text: string): string {
  return withEncodedVectors(Buffer.from(text)).toString();
}

const REPLY = `{"object":"list","data":[
  {"object":"embedding","index":0,"embedding":[0.5, -1e-3,2],"text":"the \\"embedding\\": [1] ä"},
  { "embedding" :\t[\n1.25\n] ,"index":1},
  {"embedding":"${base64(7)}"},{"embedding":[]}],
  "usage":{"prompt_tokens":12345678901234567890}}`;
const EXPECTED = REPLY.replace("[0.5, -1e-3,2]", `"${base64(0.5, -0.001, 2)}"`)
  .replace("[\n1.25\n]", `"${base64(1.25)}"`)
  .replace("[]", '""');

test("vectors in lists are written in base64, and no other byte is changed", () => {
  assert.equal(encoded(REPLY), EXPECTED);
  assert.equal(encoded(EXPECTED), EXPECTED);
});

test("they are, however the reply is cut on its way", () => {
  const reply = Buffer.from(REPLY);
  for (const size of [1, 2, 3, 5, 7, 11, 64]) {
    const encoder = new VectorEncoder();
    const out: Buffer[] = [];
    for (let at = 0; at < reply.length; at += size) {
      out.push(encoder.push(reply.subarray(at, at + size)));
    }
    out.push(encoder.end());
    assert.equal(Buffer.concat(out).toString(), EXPECTED, String(size));
    assert.equal(encoder.keptBytes, 0);
  }
});

test("what is no list of numbers goes on as it is", () => {
  for (const value of [
    '["a"]',
    "[1,null]",
    "[[1,2],[3]]",
    "[1,2",
    "[1,]",
    "[",
    "null",
    '"AAAA"',
    '{"a":[1]}',
    "",
  ]) {
    const text = `{"embedding":${value}`;
    assert.equal(encoded(text), text);
  }
  for (const text of ['{"embedding"', '{"embedding" ', '{"embed', '["embedding",[1]]', ""]) {
    assert.equal(encoded(text), text);
  }
});

test("of a vector that does not end no more is held than any has", () => {
  const encoder = new VectorEncoder();
  const piece = Buffer.from("0.125,".repeat(50_000));
  let out = encoder.push(Buffer.from('{"embedding":[')).length;
  for (let i = 0; i < 10; i++) {
    out += encoder.push(piece).length;
    assert.ok(encoder.keptBytes <= 1024 * 1024);
  }
  assert.equal(out + encoder.end().length, 14 + 10 * piece.length);
});

test("whether there are lists is told by the first vector", () => {
  assert.ok(hasVectorLists(Buffer.from(REPLY)));
  assert.ok(!hasVectorLists(Buffer.from(EXPECTED)));
  assert.ok(!hasVectorLists(Buffer.from('{"object":"embedding"}')));
});
