import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { ProviderKeySchema } from "../../../proto/gen/latchkey/v1/provider_keys_pb.js";
import { aProviderKey } from "../../../test/support/records.js";
import type { ProviderKey } from "../../core/provider-key.js";
import type { ProviderKeyFigures } from "../ports.js";
import { providerKeyMessage } from "./provider-keys.js";

const NOW_MS = Date.UTC(2026, 2, 10, 12);
const quota = { period: "DAY", requests: 100, tokens: null, costMicros: null } as const;

function messageOf(part: Partial<ProviderKey>, figures: ProviderKeyFigures) {
  return create(
    ProviderKeySchema,
    providerKeyMessage(aProviderKey("pk_1", part), {
      names: { usernameOf: () => "", providerSlugOf: () => "" },
      facts: { eligibilityOf: () => undefined, figuresOf: () => figures },
      noticeDays: { rotationDueDays: 90, expiryNoticeDays: 14 },
      nowMs: NOW_MS,
    }),
  );
}

test("how far a quota is used stands beside it, with the end of its period", () => {
  const quotaUse = { requests: 40, tokens: 1200, costMicros: 5 };
  const [use] = messageOf({ quota }, { quotaUse }).budgetUsage;
  assert.equal(use?.requests, 40n);
  assert.equal(use?.tokens, 1200n);
  assert.equal(use?.budget?.requests, 100n);
  assert.equal(
    use?.resetTime === undefined ? 0 : timestampMs(use.resetTime),
    Date.UTC(2026, 2, 11),
  );
});

test("a key without a quota, or one that the pool does not know yet, tells of no use", () => {
  const quotaUse = { requests: 40, tokens: 1200, costMicros: 5 };
  assert.deepEqual(messageOf({ quota: null }, { quotaUse }).budgetUsage, []);
  assert.deepEqual(messageOf({ quota }, {}).budgetUsage, []);
});
