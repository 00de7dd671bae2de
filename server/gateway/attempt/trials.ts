import { type AttemptOutcome, saysOutage, saysOverload } from "../../core/call.js";
import { type Fault, toFault } from "../../core/fault.js";
import type { Lease } from "../../core/lease.js";
import type { RouteTarget } from "../../core/provider.js";
import type { AdmittedCall } from "../admitted-call.js";
import { Attempt, type AttemptListener } from "./attempt.js";
import { type AttemptFailure, backIn } from "./attempt-failure.js";
import { whenRemovable } from "../batch/batch-calls.js";
import type { CallPlan } from "../route/call-plan.js";
import { Failover } from "./failover.js";
import { lacksPath } from "../route/passages.js";
import { CallThing } from "./thing.js";
import type { TrialsListener } from "./trials-listener.js";

const NO_TARGETS: readonly RouteTarget[] = [];

/**
 * Tries provider keys for one call, one after the other, until one serves it or enough was tried. Of each key the pool
 * leases there is one attempt; what is known of those that failed is in `failover`.
 */
export class Trials implements AttemptListener {
  readonly #call: AdmittedCall;
  readonly #listener: TrialsListener;
  readonly #failover: Failover;
  /** What the call is about or goes on from, in a provider's account. */
  readonly #thing: CallThing;
  /** When the first key was looked for. */
  #begunMs: number | undefined;
  /** Those whose model nobody knows, and that are tried with every key all the same. */
  #searched = NO_TARGETS;
  /** With the request's body, and the route as far as it is still to be tried; undefined once nothing more will be. */
  #plan: CallPlan | undefined;
  /** The last one. */
  #attempt: Attempt | undefined;
  /** Set while the call waits for a key to be back. */
  #leaveRoom: (() => void) | undefined;

  constructor(call: AdmittedCall, plan: CallPlan, listener: TrialsListener) {
    const { limits, pool } = call.context;
    this.#call = call;
    this.#plan = plan;
    this.#listener = listener;
    this.#thing = new CallThing(call, plan);
    this.#failover = new Failover(limits, pool);
  }

  /** Of the present attempt; null before its head came. */
  get httpStatus(): number | null {
    return this.#attempt?.httpStatus ?? null;
  }

  /** What the reply names lives on in the provider's account. */
  get keeps(): boolean {
    return this.#thing.keeps;
  }

  /** Tries the first key; for a call that removes a batch and its results, once what that used is known. */
  begin(): void {
    if (this.#call.match.endpoint.ofBatch === "REMOVAL") this.#nextWhenCounted();
    else this.next();
  }

  #nextWhenCounted(): void {
    const goOn = (): void => {
      this.next();
    };
    whenRemovable(this.#call, goOn, (thrown) => {
      this.#listener.onBug(thrown);
    });
  }

  /** Tries the next key: asks the pool for one, and the provider with it. */
  next(): void {
    const plan = this.#plan;
    if (plan === undefined) return;
    if (this.#begunMs !== undefined && !this.#failover.mayGoOn(this.#elapsedMs())) {
      this.#giveUp(plan, undefined);
      return;
    }
    let lease: Lease;
    try {
      lease = this.#lease(plan);
    } catch (thrown) {
      const fault = toFault(thrown);
      if (!this.#waitForKey(plan, fault)) this.#giveUp(plan, fault);
      return;
    }
    this.#begunMs ??= lease.begunMs;
    this.#failover.begin();
    const call = this.#call;
    const thing = this.#thing;
    const listener = this.#listener;
    this.#attempt = new Attempt({ call, thing, lease, trials: this, listener }, plan);
    this.#attempt.begin();
  }

  #lease({ route, affinity }: CallPlan): Lease {
    const { context, principal, match } = this.#call;
    const { tried } = this.#failover;
    const { home } = this.#thing;
    const endpoint = match.endpoint.path;
    return context.pool.lease({ principal, route, tried, affinity, home, endpoint });
  }

  /** Milliseconds since the first key was looked for. */
  #elapsedMs(): number {
    const nowMs = this.#call.context.clock.monotonic();
    this.#begunMs ??= nowMs;
    return nowMs - this.#begunMs;
  }

  /** A key that will be back in a moment is better than a refusal. False where there is none to wait for. */
  #waitForKey({ route }: CallPlan, fault: Fault): boolean {
    if (fault.code !== "no_public_token" && fault.code !== "no_own_token") return false;
    const { context, principal, id } = this.#call;
    const { refused } = this.#failover;
    const backMs = context.pool.waitMs(principal, route, this.#thing.home, refused);
    if (backMs === null) return false;
    const jitter = (id.charCodeAt(id.length - 1) % 32) / 32;
    const waitMs = this.#failover.wait(backMs, this.#elapsedMs(), jitter);
    if (waitMs === undefined) return false;
    this.#leaveRoom = context.waitingRoom.enter(principal, waitMs, () => {
      try {
        this.next();
      } catch (thrown) {
        this.#listener.onBug(thrown);
      }
    });
    return this.#leaveRoom !== undefined;
  }

  /** When to come back is for the pool to say, which knows the limits of all keys and not the last one's alone. */
  #giveUp({ route }: CallPlan, fault: Fault | undefined): void {
    const { context, principal } = this.#call;
    const { failure } = this.#failover;
    if (failure === undefined || !passesInTime(failure)) {
      this.#listener.onExhausted(failure, fault);
      return;
    }
    const backMs = context.pool.waitMs(principal, route, this.#thing.home);
    this.#listener.onExhausted(backMs === null ? failure : backIn(failure, backMs), fault);
  }

  // What an attempt tells that came to nothing.

  onFailed(lease: Lease, failure: AttemptFailure): void {
    const plan = this.#plan;
    if (plan === undefined) return;
    const { target } = lease;
    this.#failover.failed(lease, failure);
    const livesElsewhere = this.#thing.livesElsewhere(failure, plan);
    const isHosts = failure.outcome === "NO_SOCKET";
    if (failure.kind === "NO_SOCKET") this.#call.context.lacks.note(this.#call.id, failure.detail);
    if (isHosts || this.#isGone(target, failure)) {
      // None of the target's other keys would do better.
      if (this.#keepTo(plan, (each) => each !== target)) this.next();
      else this.#listener.onExhausted(this.#failover.failure, undefined);
      return;
    }
    const { id } = target.provider;
    if (this.#failover.failsOften(target)) {
      this.#keepTo(plan, ({ provider }) => provider.id !== id);
    } else if (isOutage(failure)) {
      // Its other keys would hardly do better.
      this.#tryLast(plan, ({ provider }) => provider.id === id);
    } else if (this.#failover.refusedOften(target)) {
      this.#tryLast(plan, (each) => each === target);
    }
    if (failure.elsewhere || livesElsewhere) this.next();
    else this.#listener.onExhausted(failure, undefined);
  }

  /** Its model is made up, as far as is known, or its provider does not have the API at all. */
  #isGone(target: RouteTarget, failure: AttemptFailure): boolean {
    if (lacksPath(this.#call.match, failure)) return true;
    return this.#failover.refusedOften(target) && !this.#isSearched(target);
  }

  /** With every key. Names that callers make up must not cost that much each time. */
  #isSearched(target: RouteTarget): boolean {
    const { context, principal } = this.#call;
    const { servedModels, clock } = context;
    if (servedModels.isKnown(target) || this.#searched.includes(target)) return true;
    const isSearched = servedModels.maySearch(principal, clock.monotonic());
    if (isSearched) this.#searched = [...this.#searched, target];
    return isSearched;
  }

  /** What cannot be said in one provider's language may do in another's. */
  onUntranslatable(lease: Lease, fault: Fault): void {
    const plan = this.#plan;
    if (plan === undefined) return;
    const { dialect } = lease.target.provider;
    if (this.#keepTo(plan, ({ provider }) => provider.dialect !== dialect)) this.next();
    else this.#listener.onBlocked(fault);
  }

  /** Tries only a part of the route from now on; false when nothing is left of it. */
  #keepTo(plan: CallPlan, isKept: (target: RouteTarget) => boolean): boolean {
    const targets = plan.route.targets.filter(isKept);
    if (targets.length > 0) this.#plan = { ...plan, route: { ...plan.route, targets } };
    return targets.length > 0;
  }

  /** A key of another account may still serve it. */
  #tryLast(plan: CallPlan, isLast: (target: RouteTarget) => boolean): void {
    const { targets } = plan.route;
    const ordered = [...targets.filter((each) => !isLast(each)), ...targets.filter(isLast)];
    this.#plan = { ...plan, route: { ...plan.route, targets: ordered } };
  }

  // What the exchange asks for.

  /** Gives up what is under way. Harmless when nothing is. */
  abort(outcome: AttemptOutcome, detail: string): void {
    this.settle();
    this.#attempt?.abort(outcome, detail);
  }

  /** The reply has begun, or none will: no other key is tried, and the request need not be held in memory. */
  settle(): void {
    this.#plan = undefined;
    this.#leaveRoom?.();
    this.#attempt?.settle();
  }

  /** A stream that had begun said that the call failed: the key hears of it as of any failure. */
  failedInside(error: string): void {
    this.#attempt?.failedInside(error);
  }
}

/** It is a limit of rate, or an overload of which the provider does not say when it is over. */
function passesInTime({ outcome, httpStatus, retryAfterMs }: AttemptFailure): boolean {
  return outcome === "RATE_LIMITED" || (retryAfterMs === null && saysOverload(httpStatus));
}

/** It failed as it would have with any key of its provider, and not for want of this one's secret. */
function isOutage({ outcome, httpStatus, kind }: AttemptFailure): boolean {
  return kind !== "REFUSED_URL" && saysOutage(outcome, httpStatus);
}
