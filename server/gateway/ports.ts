import type { Batch } from "../core/batch.js";
import type { CallEntry, CallRecord, Estimate, ReplyFacts, Used } from "../core/call.js";
import type { Holder, Principal } from "../core/client-key.js";
import type { Fault } from "../core/fault.js";
import type { BatchNews } from "../core/finished-call.js";
import type { Lease, LeaseRequest } from "../core/lease.js";
import type { PresentedKey } from "../core/presented-key.js";
import type { Dialect, ModelCategory, Route, RouteTarget } from "../core/provider.js";
import type { ProviderKey } from "../core/provider-key.js";
import type { Secret } from "../core/secret.js";

/** Knows the client keys. All in memory: it is asked on every request. */
export interface Authenticator {
  /** Throws Fault `invalid_api_key`, `expired_api_key`, `revoked_api_key`, `disabled_api_key`, `user_banned`, `ip_not_allowed` or `vault_locked`. */
  authenticate(presented: PresentedKey, ip: string): Principal;
  /**
   * The caller of an earlier request, as its client key is now; undefined where that is not its key any more: revoked,
   * disabled, replaced. Throws what `authenticate` does.
   */
  renewed(principal: Principal, ip: string): Principal | undefined;
  /** Rises with each change of a client key: while it stays, all keys are as they were. */
  readonly revision: number;
  /**
   * The caller of a call under way, with its client key as it is now. Throws what `authenticate` does, for what is not its
   * key any more `revoked_api_key`.
   */
  current(principal: Principal, ip: string): Principal;
  /** Hears of keys that must not be used any more, so that running streams can be cut. */
  onInvalidated(listener: (clientKeyId: string) => void): () => void;
}

/** Knows the models. */
export interface Router {
  /** Throws Fault `model_not_found`. The client key's allowlist is the gateway's to apply. */
  resolve(model: string, principal: Principal): Route;
  /**
   * Where calls of a dialect go that name no model, such as files and batches: one target per provider that
   * this principal may use, each with an empty `upstreamModel`. Throws Fault `model_not_found` if there is none.
   */
  resolveAny(dialect: Dialect, principal: Principal): Route;
  /**
   * Has providers asked for the models that only they know, where that is due. Answers what to wait for, a few seconds
   * at most, before the models are listed: undefined where all is known.
   */
  refreshLists(principal: Principal): Promise<unknown> | undefined;
  /** The models that this principal can ask for, for `GET /v1/models`. */
  visibleModels(principal: Principal, dialect: Dialect): readonly ListedModel[];
  /** A model that this principal can ask for, listed or not; undefined if it cannot. */
  findModel(id: string, principal: Principal, dialect: Dialect): ListedModel | undefined;
  /** Whether this principal has any provider key that may serve a target, be it out for now. */
  isServed(target: RouteTarget, principal: Principal): boolean;
}

export interface ListedModel {
  readonly id: string;
  readonly displayName: string;
  readonly providerSlug: string;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  readonly contextWindow: number | null;
  readonly maxOutput: number | null;
  /** What it is for, as far as that is known. */
  readonly categories?: readonly ModelCategory[];
}

/** Bounds how many calls are under way at once. */
export interface Admission {
  /**
   * Lets a call in: at once, which answers undefined, or when its turn has come, which `onTurn` hears once, with the
   * Fault `overloaded` if that will never be. The function that is answered then gives up the place. Each call that
   * was let in calls `leave` once. Throws Fault `overloaded`.
   */
  enter(holder: Holder, onTurn: (fault: Fault | undefined) => void): (() => void) | undefined;
  leave(holder: Holder): void;
}

/** Holds the limits: rate, concurrency and budget. */
export interface Limiter {
  /**
   * Reserves the worst case; `dialect` names the headers, which a refusal has too. Throws Fault
   * `rate_limit_exceeded` or `budget_exceeded`.
   */
  admit(principal: Principal, estimate: Estimate, dialect: Dialect): Ticket;
  /** Whether a budget bounds what this principal may use, be it the key's, the user's or the server's. */
  hasBudget(principal: Principal): boolean;
}

export interface Ticket {
  /** Gives back what was reserved and books what was used; called exactly once, right before the call goes on record. */
  settle(used: Used, call: CallRecord): void;
  /** Response header lines such as `x-ratelimit-remaining-requests`, each with its CR LF; empty for none. */
  readonly headers: string;
}

/** Chooses provider keys. */
export interface Pool {
  /** How long after the begin of a call's search for a key another try may begin; may change at any time. */
  readonly failoverDeadlineMs: number;
  /**
   * The best eligible key for the route that is not in `tried`, leased until released.
   * Throws Fault `no_public_token` or `no_own_token` when none is left.
   */
  lease(request: LeaseRequest): Lease;
  /**
   * How long until a key of the route may be back, in milliseconds: 0 when one is eligible, null when none will come
   * back by itself. For a call with a home only that key counts. Keys of `except` that are eligible do not count.
   */
  waitMs(
    principal: Principal,
    route: Route,
    home: string,
    except?: ReadonlySet<string>,
  ): number | null;
  /** Keeps a key out whose secret could not be opened, until a new version of it is announced. */
  markUnreadable(providerKeyId: string): void;
}

/** Opens provider secrets; cached, so that the hot path pays microseconds. */
export interface SecretOpener {
  /** Synchronous when cached. Throws Fault `vault_locked` or `secret_unreadable`. */
  open(key: ProviderKey, origin: string): Secret | Promise<Secret>;
}

/** Hears of calls that are traced what their record does not say. */
export interface CallTraces {
  /** A call has arrived. `route` has place holders; `traceparent` is as sent, empty if there was none. */
  begun(id: string, request: { method: string; route: string; traceparent: string }): void;
  /** The provider's reply is complete, and the call is recorded next. `facts` is asked where they are wanted. */
  answered(id: string, facts: () => ReplyFacts): void;
  /** Nothing is left to do for a call, whether it was recorded or not. */
  over(id: string): void;
}

/** An uploaded file with the requests of a batch, and where it may be. */
export interface BatchFile {
  readonly fileId: string;
  /** The provider key in whose account it is; empty if that is not known. */
  readonly home: string;
  readonly principal: Principal;
  readonly providerIds: readonly string[];
}

/** Looks after batches until what they used is on record. None of it rejects. */
export interface Batches {
  /** Tells each line of an uploaded file; false where not all of it could be read. */
  readFile(file: BatchFile, onLine: (line: Buffer) => void): Promise<boolean>;
  /** A provider is about to be asked for one; resolves when that will not be forgotten any more. */
  asked(asked: Batch): Promise<void>;
  /** The one that was asked for was made; resolves when it will not be forgotten any more. */
  made(batch: Batch, asked: Batch): Promise<void>;
  /** No reply tells of the one that was asked for: it surely was not made, or it may have been. */
  unmade(asked: Batch, isSure: boolean): void;
  /** Somebody was shown, with a provider key, that one has ended. */
  ended(scope: string, batchId: string, providerKey: Pick<ProviderKey, "id" | "providerId">): void;
  /** A single response goes on after its call, and is looked after as a batch is; answers from when on. */
  goesOn(response: Batch): number;
  /** What a call makes known of a batch or a response is on record with the call. */
  recorded(news: BatchNews): void;
  /** One is about to be removed; resolves when what it used is known, or too long has passed. */
  beforeRemoval(scope: string, batchId: string): Promise<void>;
}

/** Keeps the record of calls. */
export interface CallSink {
  /** Calls that are on record as begun and not as ended. */
  readonly inflight: number;
  /**
   * Puts on record, in this order, what begins and ends; on return it survives a kill of this process. Throws Fault
   * `storage_unavailable` when that fails and the settings allow no call that is not on record. A promise is answered
   * where callers have to wait until the finished calls survive a power cut too: it resolves then, and rejects with the
   * same Fault.
   */
  write(entries: readonly CallEntry[]): Promise<void> | undefined;
  /** Counts what was written; called in the same turn of the event loop as `write`. */
  count(): void;
  /** Price of a usage in micro-US-dollars; null when unpriced. */
  cost(target: Pick<RouteTarget, "price">, tokens: CallRecord["tokens"]): number | null;
  /** A refusal before any client key was known; counted by its reason, and not recorded as a call. */
  refused(reason: string): void;
}
