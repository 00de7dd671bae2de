import assert from "node:assert/strict";
import test from "node:test";
import * as fc from "fast-check";
import type { AttemptOutcome } from "../core/call.js";
import type { Fault } from "../core/fault.js";
import type { Lease } from "../core/lease.js";
import type { ProviderKey } from "../core/provider-key.js";
import { STRATEGIES } from "./allocation.js";
import { World, keys, result } from "../../test/support/pool-world.js";
import { aProviderKey } from "../../test/support/records.js";

const ACTIONS = ["call", "advance", "change", "remove", "ban"] as const;
const OUTCOMES: AttemptOutcome[] = [
  "OK",
  "RATE_LIMITED",
  "QUOTA_EXHAUSTED",
  "KEY_REFUSED",
  "MODEL_REFUSED",
  "PROVIDER_ERROR",
  "CALLER_ABORTED",
];

/** A variant of a key, different in each field that matters for being found. */
function variant(id: string, at: number): ProviderKey {
  return aProviderKey(id, {
    enabled: at % 3 !== 0,
    visibility: at % 5 === 0 ? "PRIVATE" : "PUBLIC",
    tier: at % 7 === 0 ? "BACKUP" : "PRIMARY",
    ownerId: at % 4 === 0 ? "usr_b" : "usr_owner",
    modelAllowlist: at % 6 === 0 ? ["other-*"] : [],
    quotaGroup: at % 9 === 0 ? "g" : null,
    version: at,
  });
}

/** One call; what is leased must be what the rule of eligibility lets through. */
function callByTheRule(world: World, banned: ReadonlySet<string>, outcome: AttemptOutcome): void {
  let lease: Lease;
  try {
    lease = world.lease();
  } catch (thrown) {
    assert.match((thrown as Fault).code, /^(?:no_public_token|model_not_found)$/);
    return;
  }
  assert.equal(lease.providerKey.visibility, "PUBLIC");
  assert.equal(lease.providerKey.enabled, true);
  assert.equal(banned.has(lease.providerKey.ownerId), false);
  assert.deepEqual(lease.providerKey.modelAllowlist, []);
  lease.release(result(outcome));
}

function act(
  world: World,
  banned: Set<string>,
  [kind, at]: [(typeof ACTIONS)[number], number],
): void {
  const id = `pk_${String(at % 8).padStart(5, "0")}`;
  switch (kind) {
    case "call":
      return callByTheRule(world, banned, OUTCOMES[at % OUTCOMES.length]!);
    case "advance":
      return world.clock.advance(at ** 3);
    case "change":
      return world.change(variant(id, at));
    case "remove":
      return world.remove(id);
    case "ban": {
      const owner = at % 2 === 0 ? "usr_owner" : "usr_b";
      const wasBanned = banned.delete(owner);
      if (!wasBanned) banned.add(owner);
      return world.ban(owner, wasBanned ? "ACTIVE" : "BANNED");
    }
  }
}

test("whatever happens, counters, lists and the rule of eligibility agree", () => {
  const action = fc.tuple(fc.constantFrom(...ACTIONS), fc.nat(99));
  fc.assert(
    fc.property(
      fc.array(action, { maxLength: 80, size: "max" }),
      fc.constantFrom(...STRATEGIES),
      (actions, strategy) => {
        const world = new World(keys(6), strategy);
        const banned = new Set<string>();
        for (const each of actions) act(world, banned, each);
        const slots = [...world.pool.registry.slots()];
        const { tiers } = world.pool.summary();
        const sum = (part: "total" | "eligible"): number =>
          tiers.reduce((total, tier) => total + tier[part], 0);
        assert.equal(sum("total"), slots.length);
        assert.equal(sum("eligible"), slots.filter((slot) => slot.shown === "ELIGIBLE").length);
        for (const slot of slots) {
          assert.equal(slot.inFlight, 0);
          for (const set of slot.sets) {
            const rests = set.model !== null && slot.modelBackMs(set.model) !== null;
            assert.equal(set.ready.includes(slot), !rests && slot.place === "READY");
            assert.equal(set.awaiting.includes(slot), !rests && slot.place === "AWAITING_PROOF");
            assert.ok(set.members.includes(slot));
          }
        }
      },
    ),
    { numRuns: 300 },
  );
});
