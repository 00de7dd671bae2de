import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { frame, HTTP2_PREFACE } from "../../test/support/http2-frames.js";
import { FrameCost } from "./frame-cost.js";

const [DATA, HEADERS, RST_STREAM, PING, CONTINUATION] = [0, 1, 3, 6, 9];

function costOf(...frames: Buffer[]): number {
  return new FrameCost().of(Buffer.concat([HTTP2_PREFACE, ...frames]));
}

test("a request costs more than a small frame, one taken back most, and long pieces of messages nothing", () => {
  assert.equal(costOf(), 0);
  assert.equal(costOf(frame(PING, 0, 0, Buffer.alloc(8)), frame(77, 0, 0)), 2);
  assert.equal(costOf(frame(DATA, 0, 1), frame(DATA, 0, 1, Buffer.alloc(511))), 2);
  assert.equal(costOf(frame(DATA, 0, 1, Buffer.alloc(16_384))), 0);
  assert.equal(costOf(frame(HEADERS, 4, 1, Buffer.alloc(20))), 4);
  assert.equal(costOf(frame(HEADERS, 4, 1), frame(RST_STREAM, 0, 1, Buffer.alloc(4))), 12);
  assert.equal(costOf(frame(CONTINUATION, 0, 1, Buffer.alloc(10_000))), 10, "by the kilobyte");
});

test("however the bytes are cut, the cost is the same, and so is the last stream", () => {
  const frames = fc.array(
    fc.tuple(fc.constantFrom(0, 1, 3, 4, 6, 9, 77), fc.nat(50), fc.constantFrom(0, 1, 8, 600)),
  );
  const cuts = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 });
  fc.assert(
    fc.property(frames, cuts, (all, sizes) => {
      const bytes = Buffer.concat([
        HTTP2_PREFACE,
        ...all.map(([type, id, length]) => frame(type, 0, id, Buffer.alloc(length))),
      ]);
      const whole = new FrameCost();
      const expected = whole.of(bytes);
      const cut = new FrameCost();
      let sum = 0;
      for (let at = 0, i = 0; at < bytes.length; i++) {
        const size = sizes[i % sizes.length] ?? 1;
        sum += cut.of(bytes.subarray(at, at + size));
        at += size;
      }
      assert.equal(sum, expected);
      assert.equal(cut.lastStreamId, whole.lastStreamId);
    }),
  );
});
