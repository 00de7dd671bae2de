import assert from "node:assert/strict";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { ElementGate } from "./json-array.js";
import { EventGate } from "./sse.js";

const HELD_BYTES_MAX = 1024 * 1024;
const READ_BYTES = 64 * 1024;

/** A read of whole events or elements, and the beginning of one more. */
function read(begin: string, one: string, last: string): Buffer {
  const text = begin + one.repeat((READ_BYTES - last.length - begin.length) / one.length) + last;
  return Buffer.from(text);
}

test("the beginning of an event does not keep all of the read that it came with in memory", async () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const gates = [
    { gate: new EventGate(HELD_BYTES_MAX), text: () => read("", 'data: {"a":1}\n\n', 'data: {"b') },
    { gate: new ElementGate(HELD_BYTES_MAX), text: () => read("[", '{"a":1},', '{"b') },
  ];
  const reads = gates.map(({ gate, text }) => {
    const bytes = text();
    assert.ok(gate.push(bytes) !== undefined);
    return new WeakRef(bytes.buffer);
  });
  // What was looked at through a reference lives to the end of the turn.
  await new Promise((resolve) => setImmediate(resolve));
  collect();
  for (const [at, { gate }] of gates.entries()) {
    assert.equal(reads[at]?.deref(), undefined);
    assert.ok(gate.heldBytes > 0 && gate.heldBytes < 20);
    assert.match(gate.rest()?.toString() ?? "", /"b$/);
  }
});
