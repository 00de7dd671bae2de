import type { Eligibility, ProviderKeyFacts } from "../control/ports.js";
import type { ProviderKey } from "../core/provider-key.js";
import type { Standing } from "../pool/eligibility.js";
import type { Pool } from "../pool/pool.js";

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

/** What the pool knows of a provider key now; the database is behind it by seconds. */
export function providerKeyFacts(pool: Pool): ProviderKeyFacts {
  return {
    eligibilityOf: (key: ProviderKey) => {
      const slot = pool.registry.slot(key.id);
      return slot === undefined ? undefined : ELIGIBILITY[slot.standing];
    },
    figuresOf: (key: ProviderKey) => {
      const slot = pool.registry.slot(key.id);
      const health = pool.health(key.id);
      if (slot === undefined || health === undefined) return {};
      return { health, successRatio: slot.outcomes.count === 0 ? undefined : slot.outcomes.rate };
    },
  };
}
