import assert from "node:assert/strict";
import { test } from "node:test";
import type { Holder } from "../../core/client-key.js";
import { FairRoom } from "../../core/fair-room.js";
import { BodyReader } from "./body.js";
import { SMALL_BODY_BYTES } from "./body-room.js";
import { GATEWAY_LIMITS } from "../limits.js";

const EMPTY = Buffer.alloc(0);
const PIECE = Buffer.alloc(32 * 1024);
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
  assert.deepEqual([read, refused], [3, 6]);
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

test("a key whose large bodies take all their room has some for small ones, and others have it for their largest", () => {
  const { bodyBytesMax, bodyBytesInFlightMax } = GATEWAY_LIMITS;
  const keysOf = (user: string): Holder[] =>
    Array.from({ length: 9 }, (_each, at) => holder(user, `${user}_${String(at)}`));
  for (const holders of [[holder("a", "only")], keysOf("a")]) {
    const room = new FairRoom(bodyBytesInFlightMax);
    const large = holders.flatMap((each) => fill(room, each, bodyBytesMax / 8));
    const small = holders.flatMap((each) => fill(room, each, SMALL_BODY_BYTES));
    assert.ok(small.length > 300, String(small.length));
    const others = fill(room, holder("b", "other"), bodyBytesMax);
    assert.equal(others.length, 1);
    for (const reader of [...large, ...small, ...others]) reader.release();
    assert.equal(room.taken, 0);
  }
});

function holder(user: string, key: string): Holder {
  return { ownerId: `usr_${user}`, clientKey: { id: `ck_${key}` } };
}

/** As many bodies of this length as find room, whether or not their heads tell it. */
function fill(room: FairRoom, who: Holder, bytes: number): BodyReader[] {
  const readers: BodyReader[] = [];
  for (;;) {
    let isRefused = false;
    const contentLength = readers.length % 2 === 0 ? bytes : -1;
    const options = { room, holder: who, bytesMax: bytes, contentLength };
    const reader = new BodyReader(options, (fault) => (isRefused = fault !== undefined));
    for (let at = 0; at < bytes; at += PIECE.length) reader.onBody(PIECE, true);
    reader.onBodyEnd();
    if (isRefused) return readers;
    readers.push(reader);
  }
}
