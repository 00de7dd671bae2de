import type { Holder } from "../core/client-key.js";
import { MINUTE_MS } from "../core/durations.js";
import { FairMap } from "../core/fair-map.js";
import type { LeaseResult } from "../core/lease.js";
import { Breaker, type BreakerFailure } from "./breaker.js";
import { Callers } from "./callers.js";

/** Models of one provider of which such calls are remembered; callers may ask for any name. */
const ORIGIN_MODELS_MAX = 64;

/** What is known of a provider is forgotten so long after the last failure, if not sooner. */
const TROUBLE_KEPT_MS = 10 * MINUTE_MS;

/** A call that is, or was, under way at the provider. */
export interface OriginCall {
  readonly model: string;
  readonly caller: Holder;
}

/** How a call ended. */
type Ending = Pick<LeaseResult, "httpStatus" | "unsent">;

/** Why a provider gets no calls now, of one model or of all. */
export interface OriginRest {
  /** Null when it is all of them. */
  readonly model: string | null;
  /** When the next call may go there, monotonic. */
  readonly untilMs: number;
  /** Calls that are under way try whether it is back. */
  readonly isTried: boolean;
}

interface ModelBreaker {
  readonly model: string;
  readonly breaker: Breaker;
}

/**
 * A provider apart from its keys: whether it can be reached, and whether it has room for a model. Its keys fail alike where
 * it does not, so nothing of that is held against any of them.
 */
export class Origin {
  /** Who asks for its keys. */
  readonly callers = new Callers();
  /** How often it has moved to another address. */
  moves = 0;
  #reach = new Breaker();
  #models = new FairMap<ModelBreaker>(ORIGIN_MODELS_MAX);
  #isTroubled = false;
  #forgetAtMs = Infinity;

  /** Something is held against it. Of nearly every call this alone is looked at. */
  get isTroubled(): boolean {
    return this.#isTroubled;
  }

  /** When a call of a model may go there, monotonic milliseconds: `nowMs` when it may now. */
  backMs(model: string, nowMs: number): number {
    if (!this.#isTroubled) return nowMs;
    if (nowMs >= this.#forgetAtMs) this.forget();
    const modelMs = this.#models.get(model)?.breaker.backMs(nowMs) ?? nowMs;
    return Math.max(this.#reach.backMs(nowMs), modelMs);
  }

  /** All that it gets no calls for now; that it gets none at all comes first. */
  rests(nowMs: number): readonly OriginRest[] {
    const all = [{ model: null, breaker: this.#reach }, ...this.#models.values()];
    return all.flatMap(({ model, breaker }) => {
      const untilMs = breaker.backMs(nowMs);
      return untilMs > nowMs ? [{ model, untilMs, isTried: breaker.isTried }] : [];
    });
  }

  /** When any call may go there, monotonic milliseconds: `nowMs` when it may now. */
  reachableMs(nowMs: number): number {
    return this.#isTroubled ? this.#reach.backMs(nowMs) : nowMs;
  }

  /** Why a call of a model does not go there now; undefined when it does. */
  restFor(asked: string, nowMs: number): OriginRest | undefined {
    return this.rests(nowMs).find(({ model }) => model === null || model === asked);
  }

  /** A call goes there. */
  begin(call: OriginCall, nowMs: number): void {
    this.#reach.begin(call, nowMs);
    this.#models.get(call.model)?.breaker.begin(call, nowMs);
  }

  /** A call was served, or its reply has begun well. */
  served(call: OriginCall, nowMs: number): void {
    this.#reach.served(call, nowMs);
    const breaker = this.#models.get(call.model)?.breaker;
    breaker?.served(call, nowMs);
    if (breaker?.isQuiet === true) this.#models.delete(call.model);
    this.#settle();
  }

  /** A call ended in another way than to be served, or to fail by an outage. */
  ended(call: OriginCall, ending: Ending, nowMs: number): void {
    this.#models.get(call.model)?.breaker.ended(call);
    this.#heard(call, ending, nowMs);
    this.#settle();
  }

  /**
   * An outage failed a call. Answers how many calls in a row it has failed by now, and whether that is the first rest of
   * the outage.
   */
  failed(
    call: OriginCall,
    ending: Ending,
    failure: BreakerFailure,
  ): { readonly failures: number; readonly isFirstRest: boolean } {
    this.#isTroubled = true;
    this.#forgetAtMs = failure.atMs + Math.max(TROUBLE_KEPT_MS, 2 * failure.restMaxMs);
    if (ending.unsent) {
      this.#models.get(call.model)?.breaker.ended(call);
      return tell(this.#reach, call, failure);
    }
    this.#heard(call, ending, failure.atMs);
    return tell(this.#breakerOf(call), call, failure);
  }

  /** It answers, as a question outside of any call has shown. */
  answers(nowMs: number): void {
    this.#reach.answers(nowMs);
    this.#settle();
  }

  /** Its address is another, against which nothing is held. */
  move(): void {
    this.moves++;
    this.forget();
  }

  /** Forgets all that is held against it: it was changed, and may work again. */
  forget(): void {
    this.#reach = new Breaker();
    this.#models = new FairMap(ORIGIN_MODELS_MAX);
    this.#settle();
  }

  /** Any answer shows that it can be reached, be it that it has no room. */
  #heard(call: OriginCall, { httpStatus }: Ending, nowMs: number): void {
    if (httpStatus === null) this.#reach.ended(call);
    else this.#reach.served(call, nowMs);
  }

  #breakerOf({ model, caller }: OriginCall): Breaker {
    const known = this.#models.get(model);
    if (known !== undefined) return known.breaker;
    const breaker = new Breaker();
    this.#models.set(caller, model, { model, breaker });
    return breaker;
  }

  #settle(): void {
    this.#isTroubled = !this.#reach.isQuiet || this.#models.size > 0;
  }
}

function tell(
  breaker: Breaker,
  call: OriginCall,
  failure: BreakerFailure,
): ReturnType<Origin["failed"]> {
  const rests = breaker.failed(call, failure);
  return { failures: breaker.failures, isFirstRest: rests && breaker.trips === 1 };
}
