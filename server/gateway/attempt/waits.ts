import { MINUTE_MS, SECOND_MS } from "../../core/durations.js";
import { QUOTA_RESET_MAX_MS, RETRY_AFTER_MAX_MS } from "../../core/rests.js";
import { isRecord } from "../../core/record.js";
import type { ProviderError } from "../reply/provider-error.js";
import type { ReplyHead } from "../reply/reply-head.js";
import { dateIn, waitIn } from "./wait-text.js";

/** Nobody knows when an overload ends, and one that guesses long must not cost more than failures do. */
const OVERLOAD_WAIT_MS_MAX = MINUTE_MS;

type Pacing = ReadonlyMap<string, string>;

type Paced = Pick<ReplyHead, "pacing">;

/** `Date` tells whole seconds, and was written before the reply was sent: so little says nothing of the clocks. */
const SAME_CLOCK_MS = 2 * SECOND_MS;

/**
 * The wall clock of whoever wrote the head, in milliseconds: the moments in a reply are by that one, and either may be
 * wrong. `nowMs`: ours, which is finer where both agree, and stands for one that is not told.
 */
export function writersNow({ pacing }: Paced, nowMs: number): number {
  const writtenAt = dateIn(pacing?.get("date"));
  return Math.abs(writtenAt - nowMs) > SAME_CLOCK_MS ? writtenAt : nowMs;
}

/**
 * Until a limit of rate is over, in milliseconds, an hour at most: the provider's own word first, then the
 * reset of the limit that is used up. Null if it says nothing.
 */
export function rateWaitMs(head: Paced, error: ProviderError, nowMs: number): number | null {
  // Gemini's limit of a day for one model may be given back in seconds by its own word, but is not.
  if (error.codes.includes("RESOURCE_EXHAUSTED") && /PerDay/i.test(error.body)) {
    return RETRY_AFTER_MAX_MS;
  }
  const wait =
    askedFor(head.pacing, nowMs) ??
    resetOf(head.pacing, nowMs) ??
    resetOf(pacingInside(error), nowMs) ??
    retryDelay(error.body) ??
    spoken(error.text, nowMs);
  return bounded(wait, RETRY_AFTER_MAX_MS);
}

/** Until a quota is full again, in milliseconds, 31 days at most; null if the provider does not say. */
export function quotaWaitMs(head: Paced, error: ProviderError, nowMs: number): number | null {
  const resetsAt = error.metadata["resets_at"];
  const wait =
    untilDay(error.text, nowMs) ??
    waitIn(typeof resetsAt === "string" ? resetsAt : undefined, nowMs) ??
    askedFor(head.pacing, nowMs);
  return bounded(wait, QUOTA_RESET_MAX_MS);
}

/** Until an overload is over, in milliseconds, a minute at most; null if the provider does not say. */
export function overloadWaitMs(head: Paced, nowMs: number): number | null {
  return bounded(askedFor(head.pacing, nowMs), OVERLOAD_WAIT_MS_MAX);
}

function bounded(wait: number | undefined, maxMs: number): number | null {
  return wait === undefined ? null : Math.min(wait, maxMs);
}

function askedFor(pacing: Pacing | undefined, nowMs: number): number | undefined {
  const exact = pacing?.get("retry-after-ms") ?? "";
  if (/^\d+(?:\.\d+)?$/.test(exact)) return Number(exact);
  return waitIn(pacing?.get("retry-after"), nowMs);
}

/** Of the limits that are used up the longest to come back. */
function resetOf(pacing: Pacing | undefined, nowMs: number): number | undefined {
  let longest: number | undefined;
  for (const [name, value] of pacing ?? []) {
    for (const reset of resetsBeside(pacing, name, value)) {
      const wait = waitIn(reset, nowMs);
      if (wait !== undefined && wait > (longest ?? -1)) longest = wait;
    }
  }
  return longest;
}

const REMAINING =
  /^(?<stem>(?:x-|anthropic-)?ratelimit(?:bysize)?-)(?:remaining(?<after>-.+)?|(?<before>.+)-remaining)$/;
const UNIFIED = "anthropic-ratelimit-unified-";

/** When what this line says to be used up comes back, as it is written; none where it says nothing of the kind. */
function resetsBeside(
  pacing: Pacing | undefined,
  name: string,
  value: string,
): readonly (string | undefined)[] {
  if (name === `${UNIFIED}status`) {
    return value === "rejected" ? [pacing?.get(`${UNIFIED}reset`)] : [];
  }
  // `"policy";r=0;t=42` for each.
  if (name === "ratelimit") return value.split(",").map(usedUp);
  const groups = REMAINING.exec(name)?.groups;
  if (groups === undefined) return [];
  const { stem = "", after = "", before } = groups;
  // Mistral says what the call would have cost beside what is left.
  const needed = Number(pacing?.get(`${stem}query-cost`) ?? 0);
  if (!(Number(value) <= 0 || Number(value) < needed)) return [];
  return [pacing?.get(before === undefined ? `${stem}reset${after}` : `${stem}${before}-reset`)];
}

function usedUp(policy: string): string | undefined {
  return /;\s*r=0\s*(?:;|$)/.test(policy)
    ? /;\s*t=(\d{1,10})\s*(?:;|$)/.exec(policy)?.[1]
    : undefined;
}

/** OpenRouter passes on the headers of those behind it in its body. */
function pacingInside(error: ProviderError): Pacing | undefined {
  const { headers } = error.metadata;
  if (!isRecord(headers)) return undefined;
  const lines = new Map<string, string>();
  for (const [name, value] of Object.entries(headers)) {
    if (typeof value !== "string" && typeof value !== "number") continue;
    lines.set(name.toLowerCase(), String(value));
  }
  return lines;
}

/** Gemini says it in the body: `"retryDelay": "34s"`. */
function retryDelay(body: string): number | undefined {
  const match = /"retryDelay"\s*:\s*"(\d{1,6}(?:\.\d{1,9})?)s"/.exec(body);
  return match === null ? undefined : Number(match[1]) * 1000;
}

const SPOKEN =
  /\b(?:try again|retry) (?:in|after) (?<count>\d{1,6}(?:\.\d{1,9})?)(?: seconds?\b|(?<unit>(?:ms|[smhd])(?:\d{1,6}(?:\.\d{1,9})?(?:ms|[smhd]))*)(?!\w))/i;

/** OpenAI says it in words alone at times: `try again in 6m0s`. */
function spoken(text: string, nowMs: number): number | undefined {
  const groups = SPOKEN.exec(text)?.groups;
  return waitIn(groups && `${groups["count"] ?? ""}${groups["unit"] ?? "s"}`, nowMs);
}

/** Anthropic says it in words: `on 2026-01-01 at 00:00 UTC`. */
function untilDay(text: string, nowMs: number): number | undefined {
  const match = /\bon (\d{4}-\d\d-\d\d) at (\d\d:\d\d) UTC\.$/.exec(text);
  return match === null ? undefined : waitIn(`${match[1] ?? ""}T${match[2] ?? ""}Z`, nowMs);
}
