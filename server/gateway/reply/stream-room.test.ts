import assert from "node:assert/strict";
import test from "node:test";
import * as fc from "fast-check";
import { type HeldStream, StreamRoom } from "./stream-room.js";

const BYTES_MAX = 100;

const ownerOf = ({ holder }: HeldStream): string | undefined => holder?.ownerId;
const keyOf = ({ holder }: HeldStream): string | undefined => holder?.clientKey.id;

test("whatever streams hold and end, the sum is bounded and the fattest of the heaviest user goes", () => {
  const step = fc.record({
    stream: fc.nat({ max: 11 }),
    bytes: fc.oneof(fc.constant(0), fc.nat({ max: 40 })),
    ends: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80, size: "max" }), (steps) => {
      const room = new StreamRoom(BYTES_MAX);
      const model = new Map<HeldStream, number>();
      const sumOf = (id: (stream: HeldStream) => string | undefined, wanted: string | undefined) =>
        [...model].reduce((sum, [each, bytes]) => sum + (id(each) === wanted ? bytes : 0), 0);
      const streams = Array.from({ length: 12 }, (_, at): HeldStream => {
        const stream: HeldStream = {
          holder: { ownerId: `usr_${at % 3}`, clientKey: { id: `ck_${at % 6}` } },
          giveUp: () => {
            const before = model.get(stream) ?? 0;
            const ofOwner = sumOf(ownerOf, ownerOf(stream));
            const ofKey = sumOf(keyOf, keyOf(stream));
            for (const [other, bytes] of model) {
              assert.ok(sumOf(ownerOf, ownerOf(other)) <= ofOwner);
              if (ownerOf(other) !== ownerOf(stream)) continue;
              assert.ok(sumOf(keyOf, keyOf(other)) <= ofKey);
              if (keyOf(other) === keyOf(stream)) assert.ok(bytes <= before);
            }
            model.delete(stream);
          },
        };
        return stream;
      });
      for (const { stream: at, bytes, ends } of steps) {
        const stream = streams[at];
        assert.ok(stream !== undefined);
        if (ends) {
          model.delete(stream);
          room.delete(stream);
        } else {
          model.set(stream, bytes);
          room.set(stream, bytes);
        }
        const sum = [...model.values()].reduce((all, each) => all + each, 0);
        assert.equal(room.bytes, sum);
        assert.ok(sum <= BYTES_MAX);
      }
    }),
  );
});
