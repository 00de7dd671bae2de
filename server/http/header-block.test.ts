import assert from "node:assert/strict";
import { test } from "node:test";
import { HeaderBlock } from "./header-block.js";
import { HeaderLines } from "./header-lines.js";

/** The lines of a head that begins behind something else. */
function read(text: string): HeaderLines {
  const before = "GET / HTTP/1.1\r\n";
  const bytes = Buffer.from(`##${before}${text}\r\nbody`, "latin1");
  const lines = new HeaderLines(bytes, 2);
  assert.ok(lines.read(2 + before.length, bytes.length, 1));
  return lines;
}

test("what would end its line, or is no byte, makes the block unsendable for good", () => {
  for (const [name, value] of [
    ["x-a", "b\r\nx-b: c"],
    ["x-a", "b\n"],
    ["x-a", "b\0"],
    ["x-a", "\x7f"],
    ["x-a", "\u0119"],
    ["x-a: b\r\nx-b", "c"],
    ["x a", "b"],
    ["", "b"],
  ] as const) {
    const block = new HeaderBlock("a: 1\r\n");
    block.add(name, value);
    block.add("x-c", "d");
    for (const each of [block, block.copy()]) {
      assert.equal(each.isSendable, false, JSON.stringify([name, value]));
      assert.throws(() => each.text, TypeError);
    }
  }
});

test("lines that were read go on as they stand, but for blanks around their values", () => {
  const plain = read("Host: a\r\nX-A: b\r\nx-B: \xe9\tc\r\nDate: now\r\n");
  const block = new HeaderBlock();
  block.addRead(plain, 4, 12);
  block.addRead(plain, 8, 8);
  block.addRead(plain, 12, 16);
  block.addReadAs("x-renamed", plain, 4);
  assert.equal(block.text, "X-A: b\r\nx-B: \xe9\tc\r\nDate: now\r\nx-renamed: b\r\n");
  const odd = read("A:1\r\nB:  2\r\nC:\t3\r\nD: 4 \t\r\nE:\r\nF: \r\n");
  const rewritten = new HeaderBlock();
  rewritten.addRead(odd, 0, odd.length);
  assert.equal(rewritten.text, "A: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\nE: \r\nF: \r\n");
});

test("a copy grows alone, and a block that was cleared holds nothing", () => {
  const block = new HeaderBlock("A: 1: 2\r\n");
  block.add("date", "now");
  const copy = block.copy();
  copy.addOwn("b: \r\n");
  assert.deepEqual(
    [...block.pairs()],
    [
      ["a", "1: 2"],
      ["date", "now"],
    ],
  );
  block.clear();
  assert.deepEqual([block.text, block.isDated, block.has("a")], ["", false, false]);
  assert.deepEqual(
    [copy.isDated, copy.has("a"), copy.has("b"), copy.has("c")],
    [true, true, true, false],
  );
});
