import { HOUR_MS } from "../core/durations.js";
import { DEGRADED_RATE, RATE_COUNTS_FROM } from "./health-policy.js";
import type { KeySlot } from "./key-slot.js";

/** The three terms of a score and their most; together 100. */
export const SUCCESS_POINTS = 70;
export const FRESHNESS_POINTS = 15;
export const BALANCE_POINTS = 15;

const FRESHNESS_DAY_POINTS = 12;
const FRESHNESS_LEAST_POINTS = 3;

export interface Score {
  readonly success: number;
  readonly freshness: number;
  readonly balance: number;
  readonly total: number;
}

/** The score of a key among candidates of which the busiest carries `maxLoad`. */
export function scoreOf(slot: KeySlot, nowMs: number, maxLoad: number): Score {
  slot.outcomes.forgetOld(nowMs);
  const success = successTerm(slot.outcomes.rate, slot.outcomes.count);
  const freshness = freshnessTerm(nowMs - slot.lastUsedMs);
  const balance = balanceTerm(slot.load(nowMs), maxLoad);
  return { success, freshness, balance, total: success + freshness + balance };
}

/** The same sum without the parts: selection computes it for several keys of each call. */
export function totalOf(slot: KeySlot, nowMs: number, maxLoad: number): number {
  slot.outcomes.forgetOld(nowMs);
  return (
    successTerm(slot.outcomes.rate, slot.outcomes.count) +
    freshnessTerm(nowMs - slot.lastUsedMs) +
    balanceTerm(slot.load(nowMs), maxLoad)
  );
}

/** Up to 70 points by success rate; a rate below 0.7 counts half once there is enough to judge by. */
export function successTerm(rate: number, outcomes: number): number {
  const isPoor = rate < DEGRADED_RATE && outcomes > RATE_COUNTS_FROM;
  return rate * (isPoor ? SUCCESS_POINTS / 2 : SUCCESS_POINTS);
}

/** 15 points for a key used within the hour or never, 12 within the day, then falling to 3; never rising. */
export function freshnessTerm(sinceUsedMs: number): number {
  if (sinceUsedMs === Infinity || sinceUsedMs < HOUR_MS) return FRESHNESS_POINTS;
  const hours = sinceUsedMs / HOUR_MS;
  if (hours < 24) return FRESHNESS_DAY_POINTS;
  return Math.max(FRESHNESS_LEAST_POINTS, FRESHNESS_DAY_POINTS - (hours - 24) / 24);
}

/** Up to 15 points, the fewer the larger the key's part of the load of the busiest candidate. */
export function balanceTerm(load: number, maxLoad: number): number {
  return maxLoad === 0 ? BALANCE_POINTS : BALANCE_POINTS * (1 - load / maxLoad);
}
