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

test("a call for which nothing was reserved is unpriced, not free, and says that nothing is known", () => {
  const reserved = { inputTokens: 0, maxOutputTokens: 0, costMicros: 0 };
  const call = recordOfOrphan({ ...begunCall(7), reserved });
  assert.equal(call.costMicros, null);
  assert.equal(call.usageSource, "NONE");
});
