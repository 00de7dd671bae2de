import assert from "node:assert/strict";
import { test } from "node:test";
import { LruMap } from "./lru.js";

test("what was asked for last stays, and the map never holds more than its limit", () => {
  const map = new LruMap<string, number>(4);
  map.set("kept", 0);
  for (let i = 1; i <= 100; i++) {
    map.set(`other ${i}`, i);
    assert.equal(map.get("kept"), 0);
    assert.equal(map.get(`other ${i}`), i);
    assert.ok(map.size <= 4);
  }
  assert.equal(map.get("other 1"), undefined);
});

test("a value is replaced wherever it stands, and clearing forgets all", () => {
  const map = new LruMap<string, number>(4);
  for (const [key, value] of Object.entries({ a: 1, b: 2, c: 3 })) map.set(key, value);
  map.set("a", 9);
  assert.equal(map.get("a"), 9);
  map.clear();
  assert.deepEqual([map.get("a"), map.get("c"), map.size], [undefined, undefined, 0]);
});
