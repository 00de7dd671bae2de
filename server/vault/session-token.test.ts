import assert from "node:assert/strict";
import test from "node:test";
import { systemRandom } from "../core/random.js";
import { generateSessionToken, sessionTokenHash } from "./session-token.js";

test("session tokens are recognisable, distinct and stored only as a hash", () => {
  const tokens = Array.from({ length: 500 }, () => generateSessionToken(systemRandom).reveal());
  assert.equal(new Set(tokens).size, tokens.length);
  for (const token of tokens) {
    assert.match(token, /^lks_[0-9A-Za-z_-]{43}$/);
    assert.match(sessionTokenHash(token), /^[0-9a-f]{64}$/);
  }
});
