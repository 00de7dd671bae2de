import type { GetProviderKeyUsageRequest } from "../../proto/gen/latchkey/v1/provider_keys_pb.js";
import type { Actor } from "../core/audit.js";
import type { Clock } from "../core/clock.js";
import { userIdOf } from "../keys/owners.js";
import { mayAll } from "../keys/policy.js";
import type { ProviderKeys } from "../keys/provider-keys.js";
import type { Grid } from "../metering/usage-buckets.js";
import { withoutSums } from "../metering/usage-sums.js";
import {
  modelShares,
  spanOf,
  usageOverTime,
  usageShares,
  usageTotals,
  type KeyUsage,
} from "./key-usage.js";
import type { NameLookup } from "./names.js";

export interface ProviderKeyUsageDeps {
  readonly providerKeys: Pick<ProviderKeys, "permitted">;
  readonly usage: KeyUsage;
  readonly names: Pick<NameLookup, "clientKeyNameOf">;
  readonly clock: Clock;
}

/** What GetProviderKeyUsage answers: calls that a key served, whoever made them. */
export async function providerKeyUsage(
  deps: ProviderKeyUsageDeps,
  actor: Actor,
  request: GetProviderKeyUsageRequest,
) {
  const key = await deps.providerKeys.permitted(actor, "provider_key.get_usage", request.id);
  const nowMs = deps.clock.now();
  const span = spanOf(request.range, request.bucketSeconds, nowMs);
  const filter = { providerKeyId: key.id };
  const [overTime, models, clientKeys] = await Promise.all([
    usageOverTime(deps.usage, filter, span, { fromMs: key.createdAt, nowMs }),
    modelShares(deps.usage, filter, span),
    clientKeyShares(deps, actor, key.id, span),
  ]);
  return { ...overTime, models, clientKeys };
}

/** By client key. A caller who may not see those of other owners gets them in one row. */
async function clientKeyShares(
  { usage, names }: ProviderKeyUsageDeps,
  actor: Actor,
  providerKeyId: string,
  span: Grid,
) {
  const groupBy = "CLIENT_KEY";
  const labelOf = (id: string): string => names.clientKeyNameOf(id) || id;
  if (mayAll(actor, "client_key.list")) {
    return usageShares(usage, { providerKeyId }, span, { groupBy, labelOf });
  }
  const ownFilter = { providerKeyId, ownerId: userIdOf(actor) };
  const [all, own] = await Promise.all([
    usageTotals(usage, { providerKeyId }, span),
    usageTotals(usage, ownFilter, span),
  ]);
  const besides = withoutSums(all, own);
  return usageShares(usage, ownFilter, span, { groupBy, labelOf, besides });
}
