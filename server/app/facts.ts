import type { ClientKeyFacts, Eligibility, ProviderKeyFacts } from "../control/ports.js";
import type { Clock } from "../core/clock.js";
import type { ProviderKey } from "../core/provider-key.js";
import type { Meter } from "../metering/meter.js";
import type { Standing } from "../pool/eligibility.js";
import type { Pool } from "../pool/pool.js";
import type { RefusedSecrets } from "./refused-secrets.js";

/** Latencies look back this far, as far as the meter remembers. */
const WINDOW_SECONDS = 900;

const ELIGIBILITY: Record<Standing, Eligibility> = {
  ELIGIBLE: "ELIGIBLE",
  DISABLED: "DISABLED",
  OWNER_BANNED: "OWNER_BANNED",
  PROVIDER_DISABLED: "PROVIDER_DISABLED",
  EXPIRED: "EXPIRED",
  UNREADABLE: "UNREADABLE",
  INVALID: "INVALID",
  EXHAUSTED: "EXHAUSTED",
  COOLDOWN: "COOLDOWN",
  PROBING: "COOLDOWN",
};

/** What the pool knows of a provider key now; the database learns of it seconds later. */
export function providerKeyFacts(
  pool: Pool,
  meter: Meter,
  refused: Pick<RefusedSecrets, "problemOf">,
  clock: Clock,
): ProviderKeyFacts {
  return {
    eligibilityOf: (key: ProviderKey) => {
      const slot = pool.registry.slot(key.id);
      if (slot?.standing === "UNREADABLE") {
        return refused.problemOf(key.id)?.eligibility ?? "UNREADABLE";
      }
      return slot === undefined ? undefined : ELIGIBILITY[pool.standingOf(slot)];
    },
    figuresOf: (key: ProviderKey) => {
      const slot = pool.registry.slot(key.id);
      const health = pool.health(key.id);
      if (slot === undefined || health === undefined) return {};
      return {
        health,
        quotaUse: key.quota === null ? undefined : slot.quota.use(key.quota.period, clock.now()),
        secretProblem: refused.problemOf(key.id)?.words,
        successRatio: ratioOf(slot.outcomes),
        latencyP95Ms:
          meter.group("PROVIDER_KEY", key.id, WINDOW_SECONDS)?.latencyP95Ms ?? undefined,
      };
    },
  };
}

/** What is known of a client key besides its record. */
export function clientKeyFacts(
  day: ClientKeyFacts,
  refused: Pick<RefusedSecrets, "problemOf">,
): ClientKeyFacts {
  return {
    fresh: () => day.fresh(),
    figuresOf: (key) => {
      const figures = day.figuresOf(key);
      const secretProblem = refused.problemOf(key.id)?.words;
      return secretProblem === undefined ? figures : { ...figures, secretProblem };
    },
  };
}

/** All provider keys, from memory. */
export function* providerKeysOf(pool: Pool): Iterable<ProviderKey> {
  for (const slot of pool.registry.slots()) yield slot.key;
}

function ratioOf(outcomes: {
  readonly count: number;
  readonly successes: number;
}): number | undefined {
  return outcomes.count === 0 ? undefined : outcomes.successes / outcomes.count;
}
