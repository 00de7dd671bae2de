import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from "../../core/durations.js";

const UNITS_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: SECOND_MS,
  m: MINUTE_MS,
  h: HOUR_MS,
  d: DAY_MS,
};
const NUMBER = /^(\d{1,15}(?:\.\d{1,15})?)(?:\s*,.*)?$/;
const DURATION = /^(?:\d{1,15}(?:\.\d{1,15})?(?:ms|[smhd]))+$/;
const DATE = /^(?:[a-z]{3,9},? |\d{4}-\d\d-\d\dT)/i;
/** A number up to here, over a year, is of seconds to wait; one that is larger is a moment or nothing. */
const SECONDS_MAX = 1e8;
/** From here on, in the year 2001, a number is a moment in seconds since the epoch. */
const EPOCH_SECONDS_MIN = 1e9;
/** From here on in milliseconds. */
const EPOCH_MS_MIN = 1e12;

/**
 * Milliseconds from `nowMs`, by the clock of whoever wrote it, that a provider's text tells to wait: seconds, `6m0s`, a moment in
 * seconds or milliseconds since the epoch, or a date. Of a header that came twice the first. Undefined for what
 * is none of these, and for a moment that has passed.
 */
export function waitIn(text: string | undefined, nowMs: number): number | undefined {
  if (text === undefined) return undefined;
  const number = NUMBER.exec(text)?.[1];
  if (number !== undefined) return ofNumber(Number(number), nowMs);
  if (DURATION.test(text)) return ofDuration(text);
  return until(dateIn(text), nowMs);
}

/** The moment that a reply's `Date` tells; NaN for what is none. */
export function dateIn(text: string | undefined): number {
  return text !== undefined && DATE.test(text) ? Date.parse(text) : Number.NaN;
}

function ofNumber(value: number, nowMs: number): number | undefined {
  if (value <= SECONDS_MAX) return value * 1000;
  if (value >= EPOCH_MS_MIN) return until(value, nowMs);
  return value >= EPOCH_SECONDS_MIN ? until(value * 1000, nowMs) : undefined;
}

function ofDuration(text: string): number {
  let total = 0;
  for (const [, count, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|[smhd])/g)) {
    total += Number(count) * (UNITS_MS[unit ?? ""] ?? 0);
  }
  return total;
}

function until(atMs: number, nowMs: number): number | undefined {
  return atMs > nowMs ? atMs - nowMs : undefined;
}
