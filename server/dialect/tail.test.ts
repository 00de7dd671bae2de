import assert from "node:assert/strict";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Tail } from "./tail.js";

test("the last reads are one text, as many as are looked at", () => {
  const tail = new Tail();
  assert.equal(String(tail.bytes()), "");
  for (const read of ["a", "b", "c", "d", "e"]) tail.push(Buffer.from(read));
  assert.equal(String(tail.bytes()), "bcde");
  tail.push(Buffer.alloc(4_000, "x"));
  assert.equal(tail.bytes().length, 4_003);
  tail.push(Buffer.alloc(60_000, "y"));
  assert.equal(tail.bytes().length, 60_000);
  tail.push(Buffer.from("z"));
  assert.equal(tail.bytes().length, 60_001);
  tail.push(Buffer.alloc(100_000, "w"));
  assert.equal(tail.bytes().length, 100_000);
});

test("what ends a large read is looked at with the small ones behind it", () => {
  const tail = new Tail();
  tail.push(Buffer.from(`${"w".repeat(100_000)}usage`));
  tail.push(Buffer.from("stop"));
  assert.ok(String(tail.bytes()).endsWith("wusagestop"));
  assert.equal(tail.bytes().length, 64 * 1024);
  tail.push(Buffer.from("end"));
  assert.ok(String(tail.bytes()).endsWith("wusagestopend"));
});

test("of reads that fill their buffers only the newest are kept", () => {
  for (const readBytes of [8_000, 32_768, 65_536]) {
    const tail = new Tail();
    for (let read = 0; read < 9; read++) tail.push(Buffer.alloc(readBytes));
    assert.ok(tail.keptBytes < 16 * 1024 + readBytes, `${String(tail.keptBytes)} bytes`);
  }
});

test("a large read that is not looked at any more is let go", async () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const tail = new Tail();
  const older = new WeakRef(Buffer.alloc(1_000_000));
  const push = (): void => {
    const read = older.deref();
    if (read !== undefined) tail.push(read);
  };
  push();
  tail.push(Buffer.alloc(60_000));
  // What was looked at through a reference lives to the end of the turn.
  await new Promise((resolve) => setImmediate(resolve));
  collect();
  assert.equal(older.deref(), undefined);
  assert.equal(tail.bytes().length, 60_000);
});
