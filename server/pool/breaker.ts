import { BREAKER_BASE_MS, DOUBLINGS_MAX, RAMP_MS, RAMP_SUCCESSES } from "./health-policy.js";

/** When to look again while all calls that may try are under way; nobody knows when the first ends. */
const TRYING_WAIT_MS = 200;
/** A further call may try when nothing came of the last one for so long: most that are turned away are so at once. */
const TRY_EVERY_MS = 2_000;

/** A call that something failed. */
export interface BreakerFailure {
  readonly atMs: number;
  /** Id of the user whose call it was; null where the call cannot be to blame. */
  readonly callerId: string | null;
  /** As the provider asks for; null if it asks for nothing. */
  readonly retryAfterMs: number | null;
  /** Failures in a row before the first rest. */
  readonly failuresMax: number;
  /** The longest rest. */
  readonly restMaxMs: number;
}

/**
 * Keeps calls from what fails whoever asks and with whichever key. After some failures in a row nothing goes there for a
 * while, longer each time; then one call tries it, and when that is served, two may be under way, and so on with each call
 * that is served, until all may go there again.
 */
export class Breaker {
  readonly #trying = new Set<object>();
  #failures = 0;
  /** Whose calls all of the failures were, and may have caused them; null for nobody. */
  #failedFor: string | null = null;
  /** Rests since calls last went there freely. */
  #trips = 0;
  #restsUntilMs = -Infinity;
  /** Calls that may be under way; infinity for any number. */
  #room = Infinity;
  /** When the last call began that tries. */
  #triedAtMs = -Infinity;

  /** Nothing is held against it. */
  get isQuiet(): boolean {
    return this.#failures === 0 && this.#room === Infinity;
  }

  /** Failures since a call was last served. */
  get failures(): number {
    return this.#failures;
  }

  get trips(): number {
    return this.#trips;
  }

  /** Calls are trying whether it is back. */
  get isTried(): boolean {
    return this.#trying.size > 0;
  }

  /** When the next call may go there, monotonic milliseconds: `nowMs` when it may now. */
  backMs(nowMs: number): number {
    if (nowMs < this.#restsUntilMs) return this.#restsUntilMs;
    if (this.#trying.size < this.#room) return nowMs;
    return Math.max(nowMs, Math.min(nowMs + TRYING_WAIT_MS, this.#triedAtMs + TRY_EVERY_MS));
  }

  /** A call goes there. */
  begin(call: object, nowMs: number): void {
    if (this.#room === Infinity) return;
    this.#trying.add(call);
    this.#triedAtMs = nowMs;
  }

  /** A call was served, or its reply has begun. */
  served(call: object, nowMs: number): void {
    if (this.#room === Infinity) this.#failures = 0;
    // A call from before the rest does not show that others are served again.
    else if (this.#trying.delete(call)) this.answers(nowMs);
  }

  /** It has shown that it is back. */
  answers(nowMs: number): void {
    this.#failures = 0;
    if (this.#room === Infinity) return;
    this.#restsUntilMs = Math.min(this.#restsUntilMs, nowMs);
    this.#room++;
    if (this.#room > RAMP_SUCCESSES || nowMs - this.#restsUntilMs >= RAMP_MS) this.#close();
  }

  /** A call ended that shows nothing. */
  ended(call: object): void {
    this.#trying.delete(call);
  }

  /** A call failed. True when a rest begins by it. */
  failed(call: object, failure: BreakerFailure): boolean {
    const { callerId } = failure;
    const isSameUser = this.#failures === 0 || this.#failedFor === callerId;
    this.#failedFor = isSameUser ? callerId : null;
    this.#failures++;
    // A call from before the rest shows nothing new.
    if (!this.#trying.delete(call) && this.#room !== Infinity) return false;
    if (this.#failedFor !== null) return false;
    const isProof = this.#room === 1;
    if (!isProof && this.#failures < failure.failuresMax) return false;
    this.#trip(failure);
    return true;
  }

  #trip({ atMs, retryAfterMs, restMaxMs }: BreakerFailure): void {
    const ownMs = Math.min(BREAKER_BASE_MS * 2 ** Math.min(this.#trips, DOUBLINGS_MAX), restMaxMs);
    this.#trips++;
    this.#restsUntilMs = atMs + Math.max(ownMs, retryAfterMs ?? 0);
    this.#room = 1;
    this.#trying.clear();
  }

  #close(): void {
    this.#room = Infinity;
    this.#trips = 0;
    this.#restsUntilMs = -Infinity;
    this.#trying.clear();
  }
}
