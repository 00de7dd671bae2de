import type { HandlerContext } from "@connectrpc/connect";
import type { GetClientKeyStatsRequest } from "../../proto/gen/latchkey/v1/client_keys_pb.js";
import type { Actor } from "../core/audit.js";
import type { ClientKey } from "../core/client-key.js";
import type { Clock } from "../core/clock.js";
import type { ClientKeys } from "../keys/client-keys.js";
import { userIdOf } from "../keys/owners.js";
import { authorize, mayAll } from "../keys/policy.js";
import type { KeysReader } from "../keys/ports.js";
import { actorKey } from "./context.js";
import { lastDays, modelShares, usageOverTime, usageShares, type KeyUsage } from "./key-usage.js";
import type { NameLookup } from "./names.js";

const DAYS_DEFAULT = 30;

export interface ClientKeyStatsDeps {
  readonly clientKeys: Pick<ClientKeys, "get">;
  readonly usage: KeyUsage;
  /** Tells which provider keys a user may know by name. */
  readonly providerKeyReader: Pick<KeysReader["providerKeys"], "ofOwner">;
  readonly names: Pick<NameLookup, "providerKeyNameOf">;
  readonly clock: Clock;
}

/** What GetClientKeyStats answers, but for the key's own message. */
export async function clientKeyStats(
  deps: ClientKeyStatsDeps,
  request: GetClientKeyStatsRequest,
  context: HandlerContext,
) {
  const actor = context.values.get(actorKey);
  authorize(actor, "client_key.get_stats");
  const key: ClientKey = await deps.clientKeys.get(actor, request.id);
  const days = request.days === 0 ? DAYS_DEFAULT : request.days;
  const nowMs = deps.clock.now();
  const span = lastDays(days, nowMs);
  const filter = { clientKeyId: key.id };
  const nameOf = await providerKeyNames(deps, actor);
  const [overTime, models, providerKeys] = await Promise.all([
    usageOverTime(deps.usage, filter, span, { fromMs: key.createdAt, nowMs }),
    modelShares(deps.usage, filter, span),
    usageShares(deps.usage, filter, span, { groupBy: "PROVIDER_KEY", labelOf: nameOf }),
  ]);
  return { key, days, ...overTime, models, providerKeys };
}

/** Names of provider keys as far as the caller may know them; empty for others. */
async function providerKeyNames(
  deps: ClientKeyStatsDeps,
  actor: Actor,
): Promise<(id: string) => string> {
  const { names } = deps;
  if (mayAll(actor, "provider_key.list")) return (id) => names.providerKeyNameOf(id) || id;
  const own = await deps.providerKeyReader.ofOwner(userIdOf(actor));
  const ownNames = new Map(own.map((key) => [key.id, key.name]));
  return (id) => ownNames.get(id) ?? "";
}
