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
