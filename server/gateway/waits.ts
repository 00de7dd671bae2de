import type { ProviderError } from "./provider-error.js";
import type { ReplyHead } from "./reply-head.js";

/** No provider's wish to wait is followed for longer. */
const RETRY_AFTER_MS_MAX = 3_600_000;

/** Gemini's limit of a day for one model may be given back in seconds by its own word, but is not. */
export function rateWaitMs(
  head: ReplyHead,
  error: ProviderError,
  body: string,
  nowMs: number,
): number | null {
  const ofDay = error.codes.includes("RESOURCE_EXHAUSTED") && /PerDay/i.test(body);
  return ofDay ? RETRY_AFTER_MS_MAX : retryAfterMs(head, body, nowMs);
}

/** When to come back: the provider's own word first, then the reset of the limit that is used up. */
function retryAfterMs(head: ReplyHead, body: string, nowMs: number): number | null {
  const pacing = head.pacing;
  const waits = [
    milliseconds(pacing?.get("retry-after-ms")),
    seconds(pacing?.get("retry-after"), nowMs),
    resetOf(pacing, nowMs),
    retryDelay(body),
  ];
  const wait = waits.find((each) => each !== undefined);
  if (wait === undefined) return null;
  return Math.min(Math.max(wait, 0), RETRY_AFTER_MS_MAX);
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
