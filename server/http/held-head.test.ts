import assert from "node:assert/strict";
import { test } from "node:test";
import { FramingError } from "./framing-error.js";
import { HeldHead } from "./held-head.js";

const BYTES_MAX = 10_000;

function headOf(length: number): Buffer {
  const end = "\r\n\r\n";
  return Buffer.from(
    `GET / HTTP/1.1\r\nA: ${"abcdefg".repeat(BYTES_MAX)}`.slice(0, length - 4) + end,
  );
}

/** The head as it is held once it has come in pieces of this size. */
function hold(head: Buffer, size: number): Buffer {
  const held = new HeldHead(BYTES_MAX, head, 0, size);
  for (let at = size; at < head.length; at += size) {
    const piece = Buffer.concat([head.subarray(at, at + size), Buffer.from("body")]);
    const end = Math.min(size, head.length - at);
    assert.equal(held.take(piece, 0, end), at + size < head.length ? -1 : end);
  }
  return held.bytes.subarray(0, held.length);
}

test("a head in pieces is held whole, however large it may be and however it is cut", () => {
  for (const length of [100, 2047, 2048, 2049, 5000, BYTES_MAX]) {
    const head = headOf(length);
    for (const size of [1, 7, 99, 1500, 4096]) {
      if (size < length) assert.deepEqual(hold(head, size), head);
    }
  }
});

test("a head in pieces that is a byte too large is refused as such", () => {
  assert.throws(
    () => hold(headOf(BYTES_MAX + 1), 1500),
    (error) => error instanceof FramingError && error.problem === "HEAD_TOO_LARGE",
  );
});
