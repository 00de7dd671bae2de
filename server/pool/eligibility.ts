import { allowedBy } from "../core/glob.js";
import type { Health, ProviderKey } from "../core/provider-key.js";

/** Whether a provider key may be used now, and if not, why not: the first reason that holds. */
export type Standing = (typeof STANDINGS)[number];

export const STANDINGS = [
  "ELIGIBLE",
  "DISABLED",
  "OWNER_BANNED",
  "PROVIDER_DISABLED",
  "EXPIRED",
  "UNREADABLE",
  "INVALID",
  "EXHAUSTED",
  "COOLDOWN",
  /** It has to prove itself after a failure, and the call that does so is under way. */
  "PROBING",
] as const;

/** True for a key that can be used now or will be by itself. */
export function maySoonServe(standing: Standing): boolean {
  return ["ELIGIBLE", "COOLDOWN", "EXHAUSTED", "PROBING"].includes(standing);
}

/** What the rule looks at. */
export interface StandingFacts {
  readonly enabled: boolean;
  readonly ownerBanned: boolean;
  readonly providerEnabled: boolean;
  readonly expired: boolean;
  /** Its secret could not be opened. */
  readonly unreadable: boolean;
  readonly health: Health;
  /** The end of a cooldown or of an exhaustion lies ahead. */
  readonly blocked: boolean;
  /** Its own quota for the period is used up. */
  readonly quotaSpent: boolean;
  readonly probing: boolean;
}

/**
 * The one rule of eligibility: enabled, owner not banned, provider enabled, not expired, readable, and
 * healthy enough. A cooldown or exhaustion whose end has passed does not count any more.
 */
export function standingOf(facts: StandingFacts): Standing {
  if (!facts.enabled) return "DISABLED";
  if (facts.ownerBanned) return "OWNER_BANNED";
  if (!facts.providerEnabled) return "PROVIDER_DISABLED";
  if (facts.expired) return "EXPIRED";
  if (facts.unreadable) return "UNREADABLE";
  if (facts.health === "INVALID") return "INVALID";
  if (facts.quotaSpent) return "EXHAUSTED";
  if (facts.blocked) return facts.health === "EXHAUSTED" ? "EXHAUSTED" : "COOLDOWN";
  return facts.probing ? "PROBING" : "ELIGIBLE";
}

/** True when a key's life has ended by the wall clock. */
export function isExpired({ expiresAt }: Pick<ProviderKey, "expiresAt">, wallMs: number): boolean {
  return expiresAt !== null && expiresAt <= wallMs;
}

/** True when the key's service and model allowlist let it serve a model of its provider. */
export function allowsModel(
  key: Pick<ProviderKey, "providerId" | "service" | "modelAllowlist">,
  model: string,
  inService: (providerId: string, service: string, model: string) => boolean,
): boolean {
  if (key.service !== null && !inService(key.providerId, key.service, model)) return false;
  return allowedBy(key.modelAllowlist, model);
}
