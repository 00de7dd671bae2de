import type { Period } from "./period.js";

/** What a client key, or all client keys of a user together, may use; null parts are unlimited. */
export interface Limits {
  readonly requestsPerMinute: number | null;
  readonly tokensPerMinute: number | null;
  readonly concurrency: number | null;
  /** At most one for each period; all of them hold. */
  readonly budgets: readonly Budget[];
}

/** What may be spent in each calendar period (UTC); null parts are unlimited. */
export interface Budget {
  readonly period: Period;
  readonly costMicros: number | null;
  readonly tokens: number | null;
}

export const UNLIMITED: Limits = {
  requestsPerMinute: null,
  tokensPerMinute: null,
  concurrency: null,
  budgets: [],
};

export function isUnlimited(limits: Limits): boolean {
  return (
    limits.requestsPerMinute === null &&
    limits.tokensPerMinute === null &&
    limits.concurrency === null &&
    limits.budgets.length === 0
  );
}
