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
  /**
   * Id of the key whose account holds what the call names: no other key is leased, unless that one is gone for good.
   * Empty if none is known.
   */
  readonly home: string;
  /** The path of the endpoint, by which rights are told apart: a key may have the right to one and not to another. */
  readonly endpoint: string;
}

/** A provider key for one attempt. */
export interface Lease {
  readonly providerKey: ProviderKey;
  readonly target: RouteTarget;
  /** When it began, by the monotonic clock. */
  readonly begunMs: number;
  /** A good reply has begun: the key works, and other calls need not wait for the end of this one to know it. */
  proven(): void;
  /** Ends the attempt; called once. Only the first call counts, so that racing ends cannot give a key back twice. */
  release(result: LeaseResult): void;
  /**
   * Another key has served the very call that this one failed; called after `release`. So a right that was refused is
   * one that this key lacks, and calls of that kind ask the others first; any other failure was not the call's fault.
   */
  outdone(): void;
  /**
   * Counts the call against the key's quota: what it used, once it has ended, or null when another key was tried after
   * this one, against whose quota it counts instead. Called once, not before `release`; only the first call counts.
   */
  settle(used: Used | null): void;
}

/** How an attempt ended. */
export interface LeaseResult {
  readonly outcome: AttemptOutcome;
  readonly httpStatus: number | null;
  /** When, by the monotonic clock. */
  readonly endedMs: number;
  /** From Retry-After or a reset header; null if the provider said nothing. */
  readonly retryAfterMs: number | null;
  /** The provider never got the request, so the call cannot be at fault. */
  readonly unsent: boolean;
  /** Without secrets. */
  readonly detail: string;
}
