import type { Period } from "./period.js";
import type { SealedSecret } from "./sealed.js";

export type Tier = "PRIMARY" | "BACKUP" | "OVERFLOW";
export const TIERS: readonly Tier[] = ["PRIMARY", "BACKUP", "OVERFLOW"];
export type Visibility = "PRIVATE" | "PUBLIC";
export type Health = "UNKNOWN" | "HEALTHY" | "DEGRADED" | "COOLDOWN" | "EXHAUSTED" | "INVALID";

/** How much a key may be used in a period; null parts are unlimited. */
export interface Quota {
  readonly period: Period;
  readonly requests: number | null;
  readonly tokens: number | null;
  readonly costMicros: number | null;
}

/** One secret of one provider, sealed in the vault. Times in milliseconds since the epoch. */
export interface ProviderKey {
  readonly id: string;
  readonly ownerId: string;
  readonly providerId: string;
  /** A service such as `qwen` that selects models; null for all. */
  readonly service: string | null;
  /** Model ids or globs; empty allows all. */
  readonly modelAllowlist: readonly string[];
  /** Unique per owner. */
  readonly name: string;
  readonly description: string;
  readonly tier: Tier;
  /** Share under the `weighted` strategy, 1 to 1000. */
  readonly weight: number;
  readonly visibility: Visibility;
  /** Hides the owner's name from others who see a public key. */
  readonly anonymous: boolean;
  readonly enabled: boolean;
  readonly sealed: SealedSecret;
  /** Keyed hash of the secret, hex: the same secret twice is refused. */
  readonly fingerprint: string;
  readonly preview: string;
  readonly quota: Quota | null;
  /** Keys of one group share their rate limit and cool down together. */
  readonly quotaGroup: string | null;
  readonly expiresAt: number | null;
  readonly health: KeyHealth;
  /** When the present secret was stored: at the creation or the last rotation. */
  readonly secretAt: number;
  readonly createdAt: number;
  readonly updatedAt: number;
  /** Rises with every change. */
  readonly version: number;
}

/** A model that a key must not be asked for at present, while it may serve others. */
export interface ModelCooldown {
  readonly model: string;
  /** Milliseconds since the epoch. */
  readonly until: number;
  /** What the provider said; without secrets. */
  readonly lastError: string;
}

/** What calls and checks have shown of a key. */
export interface KeyHealth {
  readonly state: Health;
  readonly consecutiveFailures: number;
  /** End of a rest for all models; null when there is none. */
  readonly cooldownUntil: number | null;
  /** The key rests for these models only: the state is COOLDOWN then, and `cooldownUntil` null. Not stored. */
  readonly modelCooldowns: readonly ModelCooldown[];
  readonly lastCheckedAt: number | null;
  readonly lastUsedAt: number | null;
  readonly lastError: string | null;
  /** Lifetime counters; they feed selection and never a user's usage. */
  readonly successes: number;
  readonly failures: number;
}

export const NEW_KEY_HEALTH: KeyHealth = {
  state: "UNKNOWN",
  consecutiveFailures: 0,
  cooldownUntil: null,
  modelCooldowns: [],
  lastCheckedAt: null,
  lastUsedAt: null,
  lastError: null,
  successes: 0,
  failures: 0,
};
