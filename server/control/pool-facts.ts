import type { ProviderKey } from "../core/provider-key.js";
import type { Standing } from "../pool/eligibility.js";
import type { Pool } from "../pool/pool.js";
import type { Eligibility, ProviderKeyFacts } from "./ports.js";

const ELIGIBILITIES: Record<Standing, Eligibility> = {
  ELIGIBLE: "ELIGIBLE",
  DISABLED: "DISABLED",
  OWNER_BANNED: "OWNER_BANNED",
  PROVIDER_DISABLED: "PROVIDER_DISABLED",
  EXPIRED: "EXPIRED",
  UNREADABLE: "UNREADABLE",
  INVALID: "INVALID",
  EXHAUSTED: "EXHAUSTED",
  COOLDOWN: "COOLDOWN",
  // One call is finding out whether its cooldown was long enough; the others wait for it.
  PROBING: "COOLDOWN",
};

/** The pool's standing in the words of the API. */
export function eligibilityOf(standing: Standing): Eligibility {
  return ELIGIBILITIES[standing];
}

/** What the pool knows of provider keys, newer than what is stored of them. */
export function poolFacts(pool: Pick<Pool, "registry" | "health">): ProviderKeyFacts {
  return {
    eligibilityOf: ({ id }: ProviderKey) => {
      const slot = pool.registry.slot(id);
      return slot === undefined ? undefined : eligibilityOf(slot.standing);
    },
    figuresOf: ({ id }: ProviderKey) => {
      const outcomes = pool.registry.slot(id)?.outcomes;
      const hasOutcomes = outcomes !== undefined && outcomes.count > 0;
      return {
        health: pool.health(id),
        successRatio: hasOutcomes ? outcomes.successes / outcomes.count : undefined,
      };
    },
  };
}
