import type { AttemptOutcome, Used } from "./call.js";
import type { Principal } from "./client-key.js";
import type { ProviderKey } from "./provider-key.js";
import type { Route, RouteTarget } from "./provider.js";

/** What a call asks the pool for. */
export interface LeaseRequest {
  readonly principal: Principal;
  readonly route: Route;
  /** Ids of provider keys that this call has tried already. */
  readonly tried: ReadonlySet<string>;
  /** Calls of one session stay on one key while it is eligible, for prompt caches; empty for none. */
  readonly affinity: string;
  /** Id of the key whose account holds what the call names: none but it, unless it is gone for good; empty if none is known. */
  readonly home: string;
  /** Of what kind the call is, as its path says: a key may have the right to one and not to another. */
  readonly endpoint: string;
}

/** A provider key for one attempt. */
export interface Lease {
  readonly providerKey: ProviderKey;
  readonly target: RouteTarget;
  /** A good reply begins. Other calls need not wait for its end to know that the key works again. */
  proven(): void;
  /** Ends the attempt; called once. Only the first call counts, so that racing ends cannot give a key back twice. */
  release(result: LeaseResult): void;
  /**
   * Another key has served the very call that this one failed; called after `release`. A right that was refused is one
   * that this key lacks, and calls like it ask the others first; what else went wrong was not of the call's making.
   */
  outdone(): void;
  /**
   * Counts the call against the key's quota: what it used, once it has ended, or null when it has gone on with
   * another key, which it then counts for. Called once, not before `release`; only the first call counts.
   */
  settle(used: Used | null): void;
}

/** How an attempt ended. */
export interface LeaseResult {
  readonly outcome: AttemptOutcome;
  readonly httpStatus: number | null;
  readonly latencyMs: number;
  /** From Retry-After or a reset header; null if the provider said nothing. */
  readonly retryAfterMs: number | null;
  /** The provider has not had the request: what went wrong is not of the call's making. */
  readonly unsent: boolean;
  /** Without secrets. */
  readonly detail: string;
}
