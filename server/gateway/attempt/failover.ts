import type { AttemptOutcome } from "../../core/call.js";
import type { Lease } from "../../core/lease.js";
import type { RouteTarget } from "../../core/provider.js";
import type { AttemptFailure } from "./attempt-failure.js";
import type { GatewayLimits } from "../limits.js";
import type { Pool } from "../ports.js";

/** The first pause before a key is asked again that failed; each further one is twice as long. */
const PAUSE_MS = 50;
const PAUSE_MS_MAX = 1_000;
/** Calls that wait for the same key come back spread over this long. */
const SPREAD_MS = 50;
/** Pauses without an attempt in between, when the only keys that are ready are those that refuse this call. */
const IDLE_PAUSES_MAX = 2;
/** After so many keys have refused one model of one provider, others are tried first, or none if it may be made up. */
const MODEL_REFUSALS_MAX = 3;
/** Failures of one provider before others are tried first: its further keys would mostly fail in the same way. */
const FAILURES_OF_ONE_MAX = 3;
const NONE: ReadonlySet<string> = new Set();
const NO_TARGETS: readonly RouteTarget[] = [];

/** A key with what it was asked for. */
type Tried = Pick<Lease, "providerKey" | "target">;

/** For how long a call may look for a key. It is asked each time, for an operator may change it meanwhile. */
type Patience = Pick<Pool, "failoverDeadlineMs">;

/** What a call has tried so far, and whether it may try more. */
export class Failover {
  readonly #limits: GatewayLimits;
  readonly #pool: Patience;
  #tried: ReadonlySet<string> = NONE;
  #count = 0;
  /** One for each try on which a provider may have worked. */
  #providerFailures = NO_TARGETS;
  #failure: AttemptFailure | undefined;
  /** One for each key that does not serve its model. */
  #modelRefusals = NO_TARGETS;
  #waits = 0;
  /** Attempts when it last paused for a key that was said to be ready. */
  #countAtPause = -1;
  #idlePauses = 0;
  /** Keys that no waiting will make good for this call. */
  #refused: ReadonlySet<string> = NONE;

  constructor(limits: GatewayLimits, pool: Patience) {
    this.#limits = limits;
    this.#pool = pool;
  }

  /** Ids of the provider keys that failed. */
  get tried(): ReadonlySet<string> {
    return this.#tried;
  }

  /** Ids of those of them that no waiting will make good for this call. */
  get refused(): ReadonlySet<string> {
    return this.#refused;
  }

  /** The failure that the caller is told if no further attempt succeeds; undefined before the first. */
  get failure(): AttemptFailure | undefined {
    return this.#failure;
  }

  begin(): void {
    this.#count++;
  }

  failed({ providerKey, target }: Tried, failure: AttemptFailure): void {
    this.#tried = new Set([...this.#tried, providerKey.id]);
    if (failure.outcome === "MODEL_REFUSED") this.#modelRefusals = [...this.#modelRefusals, target];
    if (saysMore(failure, this.#failure)) this.#failure = failure;
    if (mayHaveWorked(failure)) this.#providerFailures = [...this.#providerFailures, target];
    if (weightOf(failure) < WEIGHT_OF_PASSING || failure.kind === "REFUSED_URL") {
      this.#refused = new Set([...this.#refused, providerKey.id]);
    }
  }

  /** True when so many keys did not serve a target's model that its others will hardly do otherwise. */
  refusedOften(target: RouteTarget): boolean {
    return this.#modelRefusals.filter((each) => each === target).length >= MODEL_REFUSALS_MAX;
  }

  /** True when a provider has failed so often that others come before its further keys. */
  failsOften({ provider }: RouteTarget): boolean {
    const failures = this.#providerFailures.filter((each) => each.provider.id === provider.id);
    return failures.length >= FAILURES_OF_ONE_MAX;
  }

  /**
   * How long to wait, in milliseconds, before the keys are tried once more, now that none is left; undefined when that
   * is pointless or would take too long. `backMs`: until the pool has a key again; 0 means one that this call has tried,
   * which may do better after a moment. `elapsedMs`: since the first key was looked for. `jitter`, from 0 to 1, keeps
   * calls from coming back together.
   */
  wait(backMs: number, elapsedMs: number, jitter: number): number | undefined {
    const outcome = this.#failure?.outcome;
    if (outcome !== undefined && FINAL.has(outcome)) return undefined;
    if (backMs === 0 && this.#isFutile()) return undefined;
    const waitMs = backMs > 0 ? this.#untilBack(backMs, elapsedMs, jitter) : this.#pause(jitter);
    if (elapsedMs + waitMs > this.#waitMaxMs()) return undefined;
    this.#tried = this.#refused;
    return waitMs;
  }

  /** A pause may bring a key back. But a key that refuses this call is always ready, so pauses for such keys alone are few. */
  #isFutile(): boolean {
    this.#idlePauses = this.#count === this.#countAtPause ? this.#idlePauses + 1 : 0;
    this.#countAtPause = this.#count;
    return this.#refused.size > 0 && this.#idlePauses >= IDLE_PAUSES_MAX;
  }

  /** Calls that have waited long come back first: the later ones must not take each key before them. */
  #untilBack(backMs: number, elapsedMs: number, jitter: number): number {
    const patience = Math.max(0, 1 - elapsedMs / this.#waitMaxMs());
    return backMs + jitter * patience * SPREAD_MS;
  }

  #waitMaxMs(): number {
    return Math.min(this.#limits.keyWaitMs, this.#pool.failoverDeadlineMs);
  }

  #pause(jitter: number): number {
    return Math.min(PAUSE_MS * 2 ** this.#waits++, PAUSE_MS_MAX) * (1 + jitter);
  }

  /**
   * False when what was spent on this call is enough. Refusals that cost nothing are bounded by the keys
   * there are; tries on which a provider may have worked are few.
   */
  mayGoOn(elapsedMs: number): boolean {
    return (
      this.#count < this.#limits.attemptsMax &&
      this.#providerFailures.length < this.#limits.providerFailuresMax &&
      (this.#count === 0 || elapsedMs <= this.#pool.failoverDeadlineMs)
    );
  }
}

/** What no waiting changes, or what took too long already. */
const FINAL: ReadonlySet<AttemptOutcome> = new Set(["REQUEST_REFUSED", "TIMEOUT"]);
/** What passes by and may be waited for. */
const WEIGHT_OF_PASSING = 2;

/**
 * How much a failure says of what the caller can expect. Trouble with a key says less than a provider's own
 * answer; that one key does not take this call says less than that another cannot now.
 */
function weightOf({ outcome }: AttemptFailure): number {
  if (["KEY_REFUSED", "QUOTA_EXHAUSTED", "MODEL_REFUSED"].includes(outcome)) return 0;
  return outcome === "REQUEST_REFUSED" || outcome === "RIGHT_REFUSED" ? 1 : WEIGHT_OF_PASSING;
}

/** Whether to tell the caller of this failure instead. Of several troubles with keys the first is told, of other failures the last. */
function saysMore(failure: AttemptFailure, told: AttemptFailure | undefined): boolean {
  if (told === undefined) return true;
  const weight = weightOf(failure);
  return weight > 0 && weight >= weightOf(told);
}

function mayHaveWorked(failure: AttemptFailure): boolean {
  return ["PROVIDER_ERROR", "TIMEOUT", "CUT"].includes(failure.outcome);
}
