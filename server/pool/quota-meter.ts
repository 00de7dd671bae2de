import { periodEnd, periodStart } from "../core/period.js";
import type { Quota } from "../core/provider-key.js";
import type { Used } from "./lease.js";

/** What a key has used in the current period. */
export interface QuotaUse {
  readonly requests: number;
  readonly tokens: number;
  readonly costMicros: number;
}

/** Counts a key's use against its quota of the calendar period, in wall-clock time as quotas are. */
export class QuotaMeter {
  #quota: Quota | null;
  #startMs = -Infinity;
  #requests = 0;
  #tokens = 0;
  #costMicros = 0;

  constructor(quota: Quota | null) {
    this.#quota = quota;
  }

  /** Takes a changed quota. A change of the period begins a new count, which the ledger may then fill in. */
  change(quota: Quota | null): void {
    if (quota?.period !== this.#quota?.period) this.#startMs = -Infinity;
    this.#quota = quota;
  }

  /** Adds what the ledger knows of the running period, e.g. at a start. */
  restore(use: QuotaUse, nowMs: number): void {
    if (this.#quota === null) return;
    this.#roll(nowMs);
    this.#requests += use.requests;
    this.#tokens += use.tokens;
    this.#costMicros += use.costMicros;
  }

  /** Counts a call before it is made, so that calls in flight count too. */
  begin(nowMs: number): void {
    if (this.#quota === null) return;
    this.#roll(nowMs);
    this.#requests++;
  }

  /** Books what a call used; null when it has gone on with another key, and gives its request back. */
  end(used: Used | null, nowMs: number): void {
    if (this.#quota === null) return;
    this.#roll(nowMs);
    if (used === null) {
      this.#requests = Math.max(0, this.#requests - 1);
      return;
    }
    this.#tokens += used.tokens;
    this.#costMicros += used.costMicros;
  }

  /** The end of the period (milliseconds since the epoch) when the quota is used up, else null. */
  spentUntil(nowMs: number): number | null {
    const quota = this.#quota;
    if (quota === null) return null;
    this.#roll(nowMs);
    const spent =
      (quota.requests !== null && this.#requests >= quota.requests) ||
      (quota.tokens !== null && this.#tokens >= quota.tokens) ||
      (quota.costMicros !== null && this.#costMicros >= quota.costMicros);
    return spent ? periodEnd(quota.period, this.#startMs) : null;
  }

  /** What the running period has used. */
  use(nowMs: number): QuotaUse {
    if (this.#quota !== null) this.#roll(nowMs);
    return { requests: this.#requests, tokens: this.#tokens, costMicros: this.#costMicros };
  }

  /** Only a later period begins a new count: a wall clock that is set back must not deny or grant anew. */
  #roll(nowMs: number): void {
    if (this.#quota === null) return;
    const startMs = periodStart(this.#quota.period, nowMs);
    if (startMs <= this.#startMs) return;
    this.#startMs = startMs;
    this.#requests = 0;
    this.#tokens = 0;
    this.#costMicros = 0;
  }
}
