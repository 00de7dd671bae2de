import assert from "node:assert/strict";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { CODECS } from "./codecs.js";
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

test("a short event does not keep the long beginning of the next one in memory", () => {
  const gate = new EventGate(HELD_BYTES_MAX);
  const bytes = Buffer.alloc(READ_BYTES, "x");
  bytes.write('data: {"a":1}\n\ndata: ');
  const events = gate.push(bytes);
  assert.equal(events?.toString(), 'data: {"a":1}\n\n');
  assert.notEqual(events.buffer, bytes.buffer);
});

test("of the long read that a stream begins with its opening events are kept, which tell the input", () => {
  const watch = CODECS.ANTHROPIC.watch("MESSAGES", true);
  const event = (value: object): string => `data: ${JSON.stringify(value)}\n\n`;
  const usage = { input_tokens: 7, output_tokens: 1 };
  const opened = event({ type: "message_start", message: { id: "m", usage } });
  const delta = event({ type: "content_block_delta", index: 0, delta: { text: "x".repeat(1000) } });
  watch.push(Buffer.from(opened + delta.repeat(60)));
  watch.push(Buffer.from(delta.repeat(20)));
  assert.ok(watch.keptBytes < 32 * 1024, `${String(watch.keptBytes)} bytes`);
  watch.push(Buffer.from(event({ type: "message_delta", usage: { output_tokens: 5 } })));
  watch.push(Buffer.from(event({ type: "message_stop" })));
  assert.equal(watch.usage()?.input, 7);
  assert.equal(watch.usage()?.output, 5);
});
