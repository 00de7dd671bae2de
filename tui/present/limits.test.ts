import assert from "node:assert/strict";
import test from "node:test";
import { create } from "@bufbuild/protobuf";
import * as fc from "fast-check";
import { LimitsSchema } from "../../proto/gen/latchkey/v1/common_pb.js";
import { limitsText, parseLimits } from "./limits.js";

const amount = fc.integer({ min: 1, max: 1_000_000 });

const anyLimits = fc.record({
  requestsPerMinute: fc.option(amount, { nil: 0 }),
  tokensPerMinute: fc.option(amount, { nil: 0 }).map(BigInt),
  concurrency: fc.option(amount, { nil: 0 }),
  budgets: fc.uniqueArray(
    fc
      .tuple(fc.constantFrom(1, 2, 3), fc.constantFrom("requests", "tokens", "costMicros"), amount)
      .map(([period, unit, value]) => ({ period, [unit]: BigInt(value) })),
    { maxLength: 3, selector: ({ period }) => period },
  ),
});

test("limits as text read back as the same limits", () => {
  fc.assert(
    fc.property(anyLimits, (init) => {
      const limits = create(LimitsSchema, init as never);
      const parsed = parseLimits(limitsText(limits));
      assert.ok(parsed !== undefined);
      assert.deepEqual(create(LimitsSchema, parsed), limits);
    }),
  );
});

test("amounts of one period are one budget", () => {
  assert.deepEqual(parseLimits("month=$25, month=1000tokens"), {
    budgets: [{ period: 3, costMicros: 25_000_000n, tokens: 1000n }],
  });
});

test("what is not a limit is not taken for one", () => {
  for (const text of [
    "fast",
    "rpm",
    "rpm=",
    "rpm=-1",
    "rpm=1.5",
    "month=25",
    "year=$5",
    "$5",
    ",",
  ]) {
    assert.equal(parseLimits(text), undefined, text);
  }
  assert.deepEqual(parseLimits(""), { budgets: [] });
});
