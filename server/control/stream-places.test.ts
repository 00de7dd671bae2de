import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { StreamPlaces } from "./stream-places.js";

const RPCS = [
  "latchkey.v1.UsageService/WatchOverview",
  "latchkey.v1.CallService/WatchCalls",
  "latchkey.v1.CallService/ExportCalls",
  "latchkey.v1.SystemService/Backup",
];
const [OVERVIEW = "", CALLS = "", EXPORT = ""] = RPCS;

/** Takes places until there are no more; answers how many. */
function takeAll(places: StreamPlaces, rpc: string, user: string): number {
  for (let taken = 0; ; taken++) {
    try {
      places.take(rpc, user);
    } catch {
      return taken;
    }
  }
}

test("a user has 32 streams at most, and is told what to do", () => {
  const places = new StreamPlaces();
  const leave = places.take(CALLS, "mia");
  for (let i = 0; i < 31; i++) places.take(OVERVIEW, "mia");
  const message = /You have 32 streams open, as many as one user may; end one of them\./;
  assert.throws(() => places.take(OVERVIEW, "mia"), { code: "rate_limit_exceeded", message });
  leave();
  leave();
  places.take(EXPORT, "mia");
  assert.throws(() => places.take(EXPORT, "mia"), message, "left once, whatever is called");
});

test("of each kind of stream a user has half at most, and there are some for the next", () => {
  const places = new StreamPlaces();
  const taken = ["a", "b", "c", "d"].map((user) => takeAll(places, EXPORT, user));
  assert.deepEqual(taken, [16, 8, 4, 2]);
});

test("whoever has no stream of a kind gets one, whatever one other user does", () => {
  const step = fc.tuple(fc.constantFrom(...RPCS), fc.boolean());
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120, size: "max" }), (steps) => {
      const places = new StreamPlaces();
      const held: (() => void)[] = [];
      for (const [rpc, leaves] of steps) {
        if (leaves) {
          held.shift()?.();
          continue;
        }
        try {
          held.push(places.take(rpc, "greedy"));
        } catch {
          // As many as it may have.
        }
        assert(held.length <= 32);
        for (const each of RPCS) places.take(each, "modest")();
      }
    }),
  );
});
