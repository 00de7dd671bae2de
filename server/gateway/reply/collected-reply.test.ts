import assert from "node:assert/strict";
import { test } from "node:test";
import { FairRoom } from "../../core/fair-room.js";
import { HeaderBlock } from "../../http/header-block.js";
import { SMALL_BODY_BYTES } from "../request/body-room.js";
import { CollectedReply } from "./collected-reply.js";
import type { Expected } from "./expected-reply.js";
import { GATEWAY_LIMITS } from "../limits.js";

const PIECE = Buffer.alloc(32 * 1024, "x");
const HOLDER = { ownerId: "usr_a", clientKey: { id: "ck_a" } };

function collecting(room: FairRoom, passable: boolean, contentLength?: number): CollectedReply {
  const head = {
    httpStatus: 200,
    headers: new HeaderBlock(),
    contentType: "application/json",
    contentEncoding: "",
    contentLength,
  };
  // Where a stream was asked for, a reply that goes on as it comes is none.
  const expected = { translation: undefined, streamed: !passable } as Expected;
  return new CollectedReply(head as never, room, HOLDER, expected);
}

/** Bytes that the replies of one key take, when one of so many bytes finds no more room. */
function filled(room: FairRoom, passable: boolean, bytes: number): number {
  const replies: CollectedReply[] = [];
  for (;;) {
    const reply = collecting(room, passable, replies.length % 2 === 0 ? bytes : undefined);
    replies.push(reply);
    for (let at = 0; at < bytes; at += PIECE.length) {
      if (reply.push(PIECE, false)) continue;
      const { taken } = room;
      for (const each of replies) each.clear();
      assert.equal(room.taken, 0);
      return taken;
    }
  }
}

test("replies that may as well go on as they come take a fifth of the room for one key, others half", () => {
  const { bodyBytesInFlightMax, wholeReplyBytesMax } = GATEWAY_LIMITS;
  const shares = [true, false].map(
    (passable) =>
      filled(new FairRoom(bodyBytesInFlightMax), passable, wholeReplyBytesMax) /
      bodyBytesInFlightMax,
  );
  assert.deepEqual(
    shares.map((share) => Math.round(share * 100)),
    [20, 50],
  );
});

test("short replies are collected where long ones find no room", () => {
  const room = new FairRoom(100 * SMALL_BODY_BYTES);
  const long = collecting(room, true, 10 * SMALL_BODY_BYTES * 100);
  while (long.push(PIECE, false));
  const short = collecting(room, true, SMALL_BODY_BYTES);
  assert.deepEqual([short.push(PIECE, false), short.push(PIECE, false)], [true, true]);
});

test("lent pieces are copied once: to where all of them will be, when it is known how many there are", () => {
  const bytes = 8 * PIECE.length;
  const reply = collecting(new FairRoom(10 * bytes), true, bytes);
  for (let at = 0; at < 8; at++) {
    const lent = Buffer.alloc(PIECE.length, at);
    assert.ok(reply.push(lent, true));
    lent.fill(0xee);
  }
  const whole = reply.whole();
  assert.equal(whole.buffer.byteLength, bytes);
  assert.deepEqual(
    Array.from({ length: 8 }, (_each, at) => whole[(at + 1) * PIECE.length - 1]),
    [0, 1, 2, 3, 4, 5, 6, 7],
  );
});
