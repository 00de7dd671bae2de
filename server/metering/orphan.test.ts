import assert from "node:assert/strict";
import { test } from "node:test";
import { begunCall } from "../../test/metering/sample-calls.js";
import { recordOfOrphan } from "./orphan.js";

test("a call that the process died of is a failed one that used all that was reserved for it", () => {
  const call = recordOfOrphan(begunCall(7));
  assert.deepEqual([call.status, call.httpStatus, call.errorCode], ["ERROR", 500, "process_died"]);
  assert.equal(call.id, begunCall(7).id);
  assert.deepEqual([call.tokens.input, call.tokens.output, call.costMicros], [900, 4096, 2600]);
  assert.equal(call.usageSource, "ESTIMATED");
});

test("a call costs nothing where nothing was reserved, is unpriced where no price was known, and paid by the piece else", () => {
  for (const [inputTokens, maxOutputTokens, reserved, cost, source] of [
    [0, 0, 0, 0, "NONE"],
    [9, 0, 0, null, "ESTIMATED"],
    [0, 4096, 0, null, "ESTIMATED"],
    [0, 0, 40_000, 40_000, "ESTIMATED"],
  ] as const) {
    const set = { inputTokens, maxOutputTokens, costMicros: reserved };
    const { costMicros, usageSource } = recordOfOrphan({ ...begunCall(7), reserved: set });
    assert.deepEqual([costMicros, usageSource], [cost, source]);
  }
});
