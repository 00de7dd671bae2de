import assert from "node:assert/strict";
import test from "node:test";
import { LastKey, presentedKey } from "./presented-key.js";

test("a connection's key is hashed once as long as it stays the same, and another one is another key", () => {
  const last = new LastKey();
  const first = last.of("sk-lk-first");
  assert.deepEqual(first, presentedKey("sk-lk-first"));
  assert.equal(last.of("a head with sk-lk-first".slice(-11)), first);
  const second = last.of("sk-lk-secnd");
  assert.deepEqual(second, presentedKey("sk-lk-secnd"));
  assert.notEqual(second.digest, first.digest);
  assert.deepEqual(last.of("sk-lk-first"), first);
});

test("a text that is too long to be a key has no digest and is not kept", () => {
  const last = new LastKey();
  const key = last.of("sk-lk-first");
  const long = "x".repeat(10_000);
  assert.deepEqual(last.of(long), { text: long, digest: "" });
  assert.equal(last.of("sk-lk-first"), key);
});
