import assert from "node:assert/strict";
import { test } from "node:test";
import { ReusedPlace } from "./reused-place.js";

test("what is put takes the place of what was put before, until that is left", () => {
  const place = new ReusedPlace();
  const first = place.put(Buffer.from("first"));
  assert.equal(String(first), "first");
  const second = place.put(Buffer.from("2nd"));
  assert.equal(second.buffer, first.buffer);
  assert.equal(String(second), "2nd");
  place.leave();
  const third = place.put(Buffer.from("third"));
  assert.notEqual(third.buffer, second.buffer);
  assert.deepEqual([second, third].map(String), ["2nd", "third"]);
});

test("nothing that is put is the bytes themselves, nor in another's place", () => {
  const [one, other] = [new ReusedPlace(), new ReusedPlace()];
  for (const length of [1, 35 * 1024, 36 * 1024]) {
    const [given, begin] = [Buffer.alloc(length, "a"), Buffer.from("begin")];
    const put = [one.put(given, begin), other.put(given, begin)];
    given.fill("b");
    begin.fill("b");
    assert.ok(put.every((bytes) => String(bytes) === `begin${"a".repeat(length)}`));
    assert.notEqual(put[0]?.buffer, put[1]?.buffer);
  }
});
