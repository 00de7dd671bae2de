import assert from "node:assert/strict";
import { test } from "node:test";
import { FairRoom } from "../core/fair-room.js";
import { BodyReader } from "./body.js";

const EMPTY = Buffer.alloc(0);
const HOLDER = { ownerId: "usr_a", clientKey: { id: "ck_a" } };

test("of bodies that come together and have no room in all, those that have are read", () => {
  const room = new FairRoom(1_000);
  let read = 0;
  let refused = 0;
  const readers = Array.from({ length: 9 }, () => {
    const options = { room, holder: HOLDER, bytesMax: 1_000, contentLength: -1 };
    return new BodyReader(options, (fault) => void (fault === undefined ? read++ : refused++));
  });
  for (let round = 0; round < 20; round++) {
    for (const reader of readers) reader.onBody(Buffer.alloc(10), true);
  }
  for (const reader of readers) reader.onBodyEnd();
  assert.deepEqual([read, refused], [2, 7]);
  for (const reader of readers) reader.release();
  assert.equal(room.taken, 0);
});

test("what is lent is copied, and what is given is passed on as it came", () => {
  const room = new FairRoom(1_000);
  const lent = Buffer.from("lent");
  for (const contentLength of [-1, lent.length]) {
    for (const own of [true, false]) {
      let body: Buffer = EMPTY;
      const options = { room, holder: HOLDER, bytesMax: 1_000, contentLength };
      const reader = new BodyReader(options, (_fault, whole) => (body = whole));
      reader.onBody(lent, own);
      reader.onBodyEnd();
      assert.equal(body === lent, own);
      assert.ok(body.equals(lent));
      reader.release();
    }
  }
});

test("a long body in chunks is whole where it was put as it came", () => {
  const bytesMax = 16 * 1024 * 1024;
  const room = new FairRoom(4 * bytesMax);
  const options = { room, holder: HOLDER, bytesMax, contentLength: -1 };
  let body: Buffer = EMPTY;
  const reader = new BodyReader(options, (_fault, whole) => (body = whole));
  const piece = Buffer.alloc(64 * 1024, "x");
  for (let at = 0; at < 40; at++) reader.onBody(piece, at % 2 === 0);
  reader.onBodyEnd();
  assert.equal(body.buffer.byteLength, bytesMax);
  assert.ok(body.equals(Buffer.alloc(40 * piece.length, "x")));
  reader.release();
  assert.equal(room.taken, 0);
});
