import assert from "node:assert/strict";
import { test } from "node:test";
import { countsAs } from "../../core/call.js";
import { notServed } from "./attempt-failure.js";
import { faultOf } from "./last-word.js";

test("that too many calls wait here for a provider is held against no key, and said to the caller", () => {
  const detail = "too many calls wait for this provider";
  const failure = notServed({ kind: "OVERLOADED", detail, unsent: true }, null);
  assert.equal(countsAs(failure.outcome), "neutral");
  const { code, publicMessage, retryAfterSeconds } = faultOf(failure, undefined);
  assert.deepEqual([code, retryAfterSeconds], ["overloaded", 1]);
  assert.match(publicMessage, /^Too many calls wait for this provider/);
});
