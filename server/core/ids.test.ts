import assert from "node:assert/strict";
import test from "node:test";
import * as fc from "fast-check";
import { systemClock } from "./clock.js";
import { IdSource } from "./ids.js";

const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";
const RANDOM_BITS = 80n;

/** A source that draws these bytes again and again, at times that go on by one from `startMs` with each id. */
function sourceOf(bytes: Uint8Array, startMs: number): IdSource {
  let ms = startMs;
  const clock = { ...systemClock, now: () => ms++ };
  const draw = (count: number): Uint8Array =>
    Uint8Array.from({ length: count }, (_, at) => bytes[at % bytes.length] ?? 0);
  return new IdSource({ clock, random: { bytes: draw } });
}

function valueOf(digits: string): bigint {
  return Array.from(digits).reduce((sum, digit) => sum * 32n + BigInt(ALPHABET.indexOf(digit)), 0n);
}

test("an id is its time and its random bits, read as one number", () => {
  const random = fc.uint8Array({ minLength: 10, maxLength: 10 });
  const time = fc.integer({ min: 0, max: 2 ** 47 });
  fc.assert(
    fc.property(random, time, fc.constantFrom("ck", "call", "usr"), (bytes, startMs, prefix) => {
      const ids = sourceOf(bytes, startMs);
      // The first bit is room for counting up.
      const bits = BigInt(`0x${Buffer.from(bytes).toString("hex")}`) & ((1n << 79n) - 1n);
      for (let ms = startMs; ms < startMs + 3; ms++) {
        const id = ids.next(prefix);
        assert.equal(id.slice(0, -26), `${prefix}_`);
        assert.equal(valueOf(id.slice(-26)), (BigInt(ms) << RANDOM_BITS) | bits);
      }
    }),
  );
});

test("ids of one moment are all different and in order", () => {
  const clock = { ...systemClock, now: () => 1 };
  const random = { bytes: (count: number) => new Uint8Array(count).fill(0xff) };
  const ids = new IdSource({ clock, random });
  const made = Array.from({ length: 1000 }, () => ids.next("call"));
  assert.deepEqual(made.toSorted(), made);
  assert.equal(new Set(made).size, made.length);
});
