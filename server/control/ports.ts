import type { ClientKey } from "../core/client-key.js";
import type { Budget } from "../core/limits.js";
import type { KeyHealth, ProviderKey } from "../core/provider-key.js";
import type { QuotaUse } from "../pool/quota-meter.js";

/** Whether a provider key can serve a call now, and the first reason why not. */
export type Eligibility =
  | "ELIGIBLE"
  | "DISABLED"
  | "INVALID"
  | "COOLDOWN"
  | "EXHAUSTED"
  | "EXPIRED"
  | "OWNER_BANNED"
  | "PROVIDER_DISABLED"
  | "MODEL_NOT_ALLOWED"
  | "OUT_OF_SCOPE"
  | "LIMIT_REACHED"
  | "QUARANTINED"
  | "UNREADABLE";

/** How far a budget is used in its running period; what running calls have set aside counts as used. */
export interface BudgetUse {
  readonly budget: Budget;
  readonly tokens: number;
  readonly costMicros: number;
  /** When the next period begins, milliseconds since the epoch. */
  readonly resetsAt: number;
}

/** Knows what the budgets of client keys and users have spent; all from memory. */
export interface BudgetBook {
  budgetUse(
    subject: { readonly kind: "client key" | "user"; readonly id: string },
    budgets: readonly Budget[],
  ): readonly BudgetUse[];
}

/** What the running server knows of a provider key in addition to its record; all from memory. */
export interface ProviderKeyFacts {
  /** For a call of its owner; undefined when the pool does not know the key yet. */
  eligibilityOf(key: ProviderKey): Eligibility | undefined;
  figuresOf(key: ProviderKey): ProviderKeyFigures;
}

export interface ProviderKeyFigures {
  /** Newer than what is stored with the key. */
  readonly health?: KeyHealth | undefined;
  /** Successes of the last 100 outcomes, 0 to 1; undefined without any. */
  readonly successRatio?: number | undefined;
  /** Over the last 15 minutes, milliseconds; undefined without calls. */
  readonly latencyP95Ms?: number | undefined;
  /** What the running period of its quota has used; undefined when the pool does not know the key yet. */
  readonly quotaUse?: QuotaUse | undefined;
  /** Why the stored secret is refused, and the remedy; undefined while it is not. */
  readonly secretProblem?: string | undefined;
}

/** What the running server knows of a client key in addition to its record. */
export interface ClientKeyFacts {
  /** Resolves soon, once the figures are up to date; does not reject. */
  fresh(): Promise<void>;
  /** From memory. */
  figuresOf(key: ClientKey): ClientKeyFigures;
}

export interface ClientKeyFigures {
  /** Calls of the last 24 hours; undefined when they could not be counted. */
  readonly calls24h?: number | undefined;
  /** Success ratio of the same, 0 to 1; undefined without calls. */
  readonly successRatio24h?: number | undefined;
  /** More than half of at least 20 calls in the last hour failed. */
  readonly highErrorRate?: boolean | undefined;
  /** Why the sealed copy cannot be shown, and the remedy; undefined while it can. */
  readonly secretProblem?: string | undefined;
}
