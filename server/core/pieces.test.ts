import assert from "node:assert/strict";
import { test } from "node:test";
import { Pieces } from "./pieces.js";

function cut(bytes: Buffer, pieceBytes: (at: number) => number): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    const end = Math.min(bytes.length, at + pieceBytes(at));
    pieces.push(Buffer.from(bytes.subarray(at, end)));
    at = end;
  }
  return pieces;
}

const BYTES = Buffer.from(Array.from({ length: 300_000 }, (_, at) => (at * 7) % 251));

test("bytes come out as they came in, however they are cut", () => {
  for (const pieceBytes of [
    () => 1,
    () => 1000,
    () => 64 * 1024,
    () => BYTES.length,
    (at: number) => (at % 2 === 0 ? 1 : 5000),
    (at: number) => 1 + (at % 300),
  ]) {
    const pieces = new Pieces();
    for (const piece of cut(BYTES, pieceBytes)) pieces.push(piece);
    assert.equal(pieces.bytes, BYTES.length);
    assert.ok(pieces.whole().equals(BYTES));
    pieces.clear();
    assert.deepEqual([pieces.bytes, pieces.whole().length], [0, 0]);
  }
});

test("a single piece is not copied", () => {
  const pieces = new Pieces();
  pieces.push(BYTES);
  assert.equal(pieces.whole(), BYTES);
});

/** How many pieces are still used as they came: they are what costs more than its bytes. */
function kept(came: readonly Buffer[]): number {
  const pieces = new Pieces();
  for (const piece of came) pieces.push(piece);
  for (const piece of came) piece.fill(255);
  const whole = pieces.whole();
  return came.filter((_, at) => whole[at * (came[0]?.length ?? 0)] === 255).length;
}

test("of many small pieces only the last few are kept as they came, of large ones all", () => {
  const small = kept(cut(BYTES.subarray(0, 5000), () => 1));
  assert.ok(small > 0 && small <= 64, String(small));
  assert.equal(kept(cut(BYTES, () => 1500)), 200);
});

test("an announced number of bytes comes out as it came in, however it is cut, given or lent", () => {
  for (const pieceBytes of [
    () => 1,
    () => 1000,
    () => 64 * 1024,
    () => BYTES.length,
    (at: number) => (at % 2 === 0 ? 1 : 5000),
  ]) {
    for (const isLent of [() => false, () => true, (at: number) => at % 3 > 0]) {
      const pieces = new Pieces(BYTES.length);
      for (const [at, piece] of cut(BYTES, pieceBytes).entries()) {
        if (isLent(at)) {
          pieces.copy(piece);
          piece.fill(0);
        } else pieces.push(piece);
      }
      assert.equal(pieces.bytes, BYTES.length);
      assert.ok(pieces.whole().equals(BYTES));
      pieces.clear();
      assert.deepEqual([pieces.bytes, pieces.whole().length], [0, 0]);
    }
  }
});

test("a lent piece is copied, also where nobody said how many bytes come", () => {
  const pieces = new Pieces();
  const lent = Buffer.from("lent");
  pieces.copy(lent);
  lent.fill(0);
  assert.equal(pieces.whole().toString(), "lent");
});

test("what was announced is whole where it was put: nothing is held twice", () => {
  const pieces = new Pieces(BYTES.length);
  const came = cut(BYTES, () => 1000);
  for (const piece of came.slice(0, -1)) pieces.push(piece);
  const before = pieces.whole();
  pieces.push(came.at(-1)!);
  const whole = pieces.whole();
  assert.equal(whole.buffer, before.buffer);
  assert.equal(whole.buffer.byteLength, BYTES.length);
  assert.ok(whole.equals(BYTES));
});

test("many bytes that nobody announced are put in one place as they come, and are not held twice when they are whole", () => {
  const bytesMax = 32 * 1024 * 1024;
  const pieces = new Pieces(0, bytesMax);
  const came: Buffer[] = [];
  const rooms = new Set<ArrayBufferLike>();
  for (let at = 0; at < 12; at++) {
    const piece = at % 2 === 0 ? BYTES : BYTES.subarray(at);
    came.push(piece);
    if (at % 3 === 0) pieces.copy(piece);
    else pieces.push(piece);
    // The first of these is not yet in its place.
    if (pieces.bytes > 2 * BYTES.length * 2) rooms.add(pieces.whole().buffer);
  }
  assert.equal(rooms.size, 1);
  assert.equal(pieces.whole().buffer.byteLength, bytesMax);
  assert.ok(pieces.whole().equals(Buffer.concat(came)));
  pieces.push(Buffer.alloc(bytesMax));
  assert.equal(pieces.whole().length, pieces.bytes, "also beyond what was said");
});

test("what is taken in pieces is not copied, and is let go", () => {
  const pieces = new Pieces();
  const came = cut(BYTES, () => 50_000);
  for (const piece of came) pieces.push(piece);
  assert.deepEqual(pieces.take(), came);
  assert.equal(pieces.bytes, 0);
});

test("a single piece of an announced number is not copied", () => {
  const pieces = new Pieces(BYTES.length);
  pieces.push(BYTES);
  assert.equal(pieces.whole(), BYTES);
});

test("an announcement takes no room: there is less than eight times what has come", () => {
  for (const announced of [4_096, 100_000, 32 * 1024 * 1024]) {
    const pieces = new Pieces(announced);
    const rooms = new Set<ArrayBufferLike>();
    while (pieces.bytes < Math.min(announced, 200_000)) {
      pieces.copy(BYTES.subarray(0, Math.min(announced - pieces.bytes, 700)));
      const { buffer } = pieces.whole();
      // Node cuts short ones out of one that all share.
      if (buffer.byteLength === Buffer.poolSize) continue;
      rooms.add(buffer);
      assert.ok(buffer.byteLength < 8 * pieces.bytes, `${String(buffer.byteLength)} bytes`);
      assert.ok(buffer.byteLength <= announced);
    }
    const copied = [...rooms].slice(0, -1).reduce((sum, { byteLength }) => sum + byteLength, 0);
    assert.ok(copied <= announced / 7 + rooms.size, `${String(copied)} bytes were copied`);
  }
});

test("a small part of a long buffer does not keep all of it in memory, and a large one is not copied", () => {
  const read = Buffer.alloc(64 * 1024, "x");
  for (const [bytes, isCopied] of [
    [10, true],
    [20_000, true],
    [40_000, false],
  ] as const) {
    const pieces = new Pieces();
    pieces.push(read.subarray(-bytes));
    assert.equal(pieces.whole().buffer !== read.buffer, isCopied);
    assert.ok(pieces.whole().equals(read.subarray(-bytes)));
  }
});
