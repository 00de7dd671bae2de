import type { ProviderError } from "./provider-error.js";
import type { ReplyHead } from "./reply-head.js";

/** No provider's wish to wait is followed for longer, unless a quota is used up. */
const RETRY_AFTER_MS_MAX = 3_600_000;
/** A quota may come back with the next month. */
const QUOTA_RESET_MS_MAX = 31 * 86_400_000;

/**
 * Until a limit of rate is over, in milliseconds, an hour at most: the provider's own word first, then the
 * reset of the limit that is used up. Null if it says nothing.
 */
export function rateWaitMs(head: ReplyHead, error: ProviderError, nowMs: number): number | null {
  // Gemini's limit of a day for one model may be given back in seconds by its own word, but is not.
  if (error.codes.includes("RESOURCE_EXHAUSTED") && /PerDay/i.test(error.body))
    return RETRY_AFTER_MS_MAX;
  const { pacing } = head;
  const wait = askedFor(pacing, nowMs) ?? resetOf(pacing, nowMs) ?? retryDelay(error.body);
  return bounded(wait, RETRY_AFTER_MS_MAX);
}

/** Until a quota is full again, in milliseconds, 31 days at most; null if the provider does not say. */
export function quotaWaitMs(head: ReplyHead, error: ProviderError, nowMs: number): number | null {
  const wait = untilDay(error.text, nowMs) ?? askedFor(head.pacing, nowMs);
  return bounded(wait, QUOTA_RESET_MS_MAX);
}

/** Anthropic says it in words: `on 2026-01-01 at 00:00 UTC`. */
function untilDay(text: string, nowMs: number): number | undefined {
  const match = /\bon (\d{4}-\d\d-\d\d) at (\d\d:\d\d) UTC\.$/.exec(text);
  if (match === null) return undefined;
  const wait = Date.parse(`${match[1] ?? ""}T${match[2] ?? ""}Z`) - nowMs;
  return wait > 0 ? wait : undefined;
}

function bounded(wait: number | undefined, maxMs: number): number | null {
  return wait === undefined ? null : Math.min(Math.max(wait, 0), maxMs);
}

function askedFor(pacing: Map<string, string> | undefined, nowMs: number): number | undefined {
  return milliseconds(pacing?.get("retry-after-ms")) ?? seconds(pacing?.get("retry-after"), nowMs);
}

function milliseconds(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+(?:\.\d+)?$/.test(text) ? Number(text) : undefined;
}

function seconds(text: string | undefined, nowMs: number): number | undefined {
  if (text === undefined || text === "") return undefined;
  if (/^\d+(?:\.\d+)?$/.test(text)) return Number(text) * 1000;
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : at - nowMs;
}

const REMAINING =
  /^(?<stem>x-ratelimit-|anthropic-ratelimit-)(?:remaining-(?<after>.+)|(?<before>.+)-remaining)$/;

function resetOf(pacing: Map<string, string> | undefined, nowMs: number): number | undefined {
  let longest: number | undefined;
  for (const [name, value] of pacing ?? []) {
    const groups = REMAINING.exec(name)?.groups;
    if (groups === undefined || Number(value) > 0) continue;
    const stem = groups["stem"] ?? "";
    const after = groups["after"];
    const reset = pacing?.get(
      after === undefined ? `${stem}${groups["before"] ?? ""}-reset` : `${stem}reset-${after}`,
    );
    const wait = reset === undefined ? undefined : resetMs(reset, nowMs);
    if (wait !== undefined && wait > (longest ?? -1)) longest = wait;
  }
  return longest;
}

/** `6m0s`, `20ms`, `1.5s`, seconds, or a date. */
function resetMs(text: string, nowMs: number): number | undefined {
  const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
  let total = 0;
  let rest = text;
  for (;;) {
    const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)/.exec(rest);
    if (match === null) break;
    total += Number(match[1]) * (units[match[2] ?? ""] ?? 0);
    rest = rest.slice(match[0].length);
  }
  return rest === "" && text !== "" ? total : seconds(text, nowMs);
}

/** Gemini says it in the body: `"retryDelay": "34s"`. */
function retryDelay(body: string): number | undefined {
  const match = /"retryDelay"\s*:\s*"(\d{1,6}(?:\.\d{1,9})?)s"/.exec(body);
  return match === null ? undefined : Number(match[1]) * 1000;
}
