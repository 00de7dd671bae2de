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

test("text holds nothing back: what follows it comes at once", () => {
  const queue = new BlockQueue();
  const text = { kind: "TEXT" } as const;
  assert.deepEqual(queue.push("t", text, "Hi"), [
    { kind: "OPEN", block: text },
    { kind: "DELTA", text: "Hi" },
  ]);
  assert.deepEqual(queue.push("a", call("a"), ""), [
    { kind: "CLOSE" },
    { kind: "OPEN", block: call("a") },
  ]);
});

test("what comes of a call after the end of its arguments opens no other", () => {
  const queue = new BlockQueue();
  queue.push("a", call("a"), "{}");
  queue.push("b", call("b"), "{");
  assert.deepEqual(queue.push("a", call("a"), " "), []);
  assert.deepEqual(queue.push("b", call("b"), "}"), [{ kind: "DELTA", text: "}" }]);
  assert.deepEqual(queue.close(), [{ kind: "CLOSE" }]);
});

test("what waits is told when nothing more comes, and each piece once", () => {
  const queue = new BlockQueue();
  queue.push("a", call("a"), "{");
  assert.deepEqual(queue.push("b", call("b"), "{"), []);
  assert.deepEqual(queue.close(), [
    { kind: "CLOSE" },
    { kind: "OPEN", block: call("b") },
    { kind: "DELTA", text: "{" },
    { kind: "CLOSE" },
  ]);
  assert.deepEqual(queue.close(), []);
});

test("it holds the arguments of calls that wait or are open, and none of what was told before", () => {
  const held = 1_000_000;
  const queue = new BlockQueue();
  for (let i = 0; i < 10; i++) queue.push("t", { kind: "TEXT" }, "x".repeat(held));
  queue.push("a", call("a"), `{"a":"${"x".repeat(held)}`);
  queue.push("b", call("b"), `{"b":"${"x".repeat(held)}`);
  assert.ok(queue.keptBytes > 2 * held, String(queue.keptBytes));
  queue.push("a", call("a"), '"}');
  assert.ok(queue.keptBytes > held && queue.keptBytes < 2 * held, String(queue.keptBytes));
  queue.push("b", call("b"), '"}');
  queue.push("t2", { kind: "TEXT" }, "");
  assert.ok(queue.keptBytes > 0 && queue.keptBytes < 1_000, String(queue.keptBytes));
});

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
