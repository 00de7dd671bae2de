import assert from "node:assert/strict";
import test from "node:test";
import { systemRandom } from "../core/random.js";
import { generateSessionToken, looksLikeSessionToken, sessionTokenHash } from "./tokens.js";

test("session tokens are recognisable, distinct and stored only as a hash", () => {
  const tokens = Array.from({ length: 500 }, () => generateSessionToken(systemRandom).reveal());
  assert.equal(new Set(tokens).size, tokens.length);
  for (const token of tokens) {
    assert.equal(looksLikeSessionToken(token), true);
    assert.match(sessionTokenHash(token), /^[0-9a-f]{64}$/);
    assert.equal(looksLikeSessionToken(`${token}x`), false);
  }
  assert.equal(looksLikeSessionToken("lks_"), false);
  assert.equal(looksLikeSessionToken("sk-lk_abc"), false);
});
