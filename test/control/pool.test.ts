import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { createContextValues } from "@connectrpc/connect";
import { AllocationSchema } from "../../proto/gen/latchkey/v1/pool_pb.js";
import { actorKey } from "../../server/control/context.js";
import { allocationMessage, poolService, type PoolDeps } from "../../server/control/pool.js";
import type { Actor } from "../../server/core/audit.js";
import {
  type Allocation,
  DEFAULT_ALLOCATION,
  parseAllocation,
} from "../../server/pool/allocation.js";

const COUNTS = { total: 1, eligible: 1, cooldown: 0, exhausted: 0, invalid: 0, disabled: 0 };
const ACTOR: Actor = { userId: "usr_1", name: "root", role: "ADMIN", via: "SOCKET", ip: "" };
const CONTEXT = { values: createContextValues().set(actorKey, ACTOR) };

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
  const getPool = poolService(deps).getPool as unknown as (
    request: object,
    context: object,
  ) => { readonly providers: readonly { readonly providerSlug: string }[] };
  const answer = getPool({}, CONTEXT);
  assert.deepEqual(
    answer.providers.map(({ providerSlug }) => providerSlug),
    ["a", "b", "c"],
  );
});

test("how keys are chosen is set as a whole: what is left out takes its default", async () => {
  const before: Allocation = {
    strategy: "LEAST_BUSY",
    perProvider: new Map([["prv_openai", "SEQUENTIAL"]]),
    sessionAffinity: false,
    rateLimitCooldownMs: 2_000,
    errorCooldownMs: 30_000,
    failoverDeadlineMs: 5_000,
    invalidAfterRefusals: 5,
  };
  const written: Allocation[] = [];
  const deps = {
    allocation: () => before,
    settings: {
      putDocument: (_actor: Actor, _action: string, { value }: { readonly value: string }) =>
        written.push(parseAllocation(value)),
    },
  } as unknown as PoolDeps;
  const setAllocation = poolService(deps).setAllocation as unknown as (
    request: object,
    context: object,
  ) => Promise<unknown>;
  assert.deepEqual(await setAllocation({ allocation: create(AllocationSchema) }, CONTEXT), {
    allocation: allocationMessage(DEFAULT_ALLOCATION),
  });
  assert.deepEqual(written, [DEFAULT_ALLOCATION]);
});
