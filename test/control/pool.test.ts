import assert from "node:assert/strict";
import { test } from "node:test";
import { createContextValues } from "@connectrpc/connect";
import { actorKey } from "../../server/control/context.js";
import { poolService, type PoolDeps } from "../../server/control/pool.js";
import type { Actor } from "../../server/core/audit.js";

const COUNTS = { total: 1, eligible: 1, cooldown: 0, exhausted: 0, invalid: 0, disabled: 0 };

test("the providers of the pool come by slug", () => {
  const summary = {
    tiers: [],
    publicKeys: COUNTS,
    providers: new Map(["prv_b", "prv_c", "prv_a"].map((id) => [id, COUNTS])),
  };
  const deps = {
    summary: () => summary,
    names: { providerSlugOf: (id: string) => id.slice("prv_".length) },
    settings: { values: { publicPoolEnabled: true } },
  } as unknown as PoolDeps;
  const actor: Actor = { userId: "usr_1", name: "root", role: "ADMIN", via: "SOCKET", ip: "" };
  const values = createContextValues().set(actorKey, actor);
  const getPool = poolService(deps).getPool as unknown as (
    request: object,
    context: object,
  ) => { readonly providers: readonly { readonly providerSlug: string }[] };
  const answer = getPool({}, { values });
  assert.deepEqual(
    answer.providers.map(({ providerSlug }) => providerSlug),
    ["a", "b", "c"],
  );
});
