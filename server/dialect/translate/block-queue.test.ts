import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { BlockQueue } from "./block-queue.js";
import type { Block, StreamStep } from "./reply.js";

const MANY = 200_000;

function call(id: string): Block {
  return { kind: "TOOL_CALL", id, name: "f", signature: undefined };
}

/** Pieces as the steps put them, one after the other. */
function told(steps: readonly StreamStep[]): string[] {
  const pieces: string[] = [];
  for (const step of steps) {
    if (step.kind === "OPEN") pieces.push("");
    if (step.kind === "DELTA") pieces[pieces.length - 1] += step.text;
  }
  return pieces;
}

test("a call's arguments have come to their end where they are JSON, however they are cut", () => {
  const written = fc.oneof(
    fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 2 })).map((each) => JSON.stringify(each)),
    fc.string({ unit: fc.constantFrom(...'{}[]"\\ ,:a1'.split("")) }),
  );
  fc.assert(
    fc.property(fc.array(written, { maxLength: 4 }), fc.array(fc.nat()), (texts, cuts) => {
      const all = texts.join(" ");
      const places = cuts.map((each) => each % (all.length + 1)).toSorted((a, b) => a - b);
      const queue = new BlockQueue();
      queue.push("a", call("a"), "");
      queue.push("b", call("b"), "");
      let from = 0;
      for (const to of [...places, all.length]) {
        const steps = queue.push("a", call("a"), all.slice(from, to));
        from = to;
        const isNextOpen = steps.some((step) => step.kind === "OPEN");
        assert.equal(isNextOpen, isObject(all.slice(0, to)));
        if (isNextOpen) return;
      }
    }),
    { numRuns: 1000 },
  );
});

function isObject(text: string): boolean {
  try {
    JSON.parse(text);
    return text.trimEnd().endsWith("}");
  } catch {
    return false;
  }
}

test("arguments in very many pieces, each of which looks like their end, are read but once", (t) => {
  const parse = t.mock.method(JSON, "parse");
  const queue = new BlockQueue();
  queue.push("a", call("a"), '{"a":"');
  queue.push("b", call("b"), "{}");
  for (let i = 0; i < MANY; i++) queue.push("a", call("a"), "x}");
  assert.equal(parse.mock.callCount(), 0);
  assert.deepEqual(told(queue.push("a", call("a"), '"}').slice(1)), ["{}"]);
  assert.equal(parse.mock.callCount(), 1);
});

test("arguments that are no JSON where their brackets end are not looked at again", (t) => {
  const parse = t.mock.method(JSON, "parse");
  const queue = new BlockQueue();
  queue.push("a", call("a"), "{no}");
  for (let i = 0; i < 100; i++) queue.push(`b${String(i)}`, call("b"), "{}");
  assert.equal(parse.mock.callCount(), 1);
});

test("very many pieces wait for one, in any order, and have their turn in the order in which they began", () => {
  const queue = new BlockQueue();
  queue.push("open", call("open"), "{");
  for (let i = 0; i < MANY; i++) assert.deepEqual(queue.push(String(i), call("x"), "{"), []);
  for (let i = MANY - 1; i >= 0; i--) queue.push(String(i), call("x"), `"n":${String(i)}}`);
  const pieces = told(queue.push("open", call("open"), "}"));
  assert.equal(pieces.length, MANY);
  assert.ok(pieces.every((piece, i) => piece === `{"n":${String(i)}}`));
  assert.deepEqual(queue.close(), [{ kind: "CLOSE" }]);
});
