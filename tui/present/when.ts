const SPAN = /^(\d{1,6})\s*([smhdw])$/;
const SPAN_MS: Readonly<Record<string, number>> = {
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/** What people may write for a moment, for messages and placeholders. */
export const WHEN_HELP = "a span such as 30d, or 2026-12-31T23:59:00Z";

/**
 * The moment that a person's text means, in milliseconds since the epoch: a span from now such as
 * `30d`, a date, or RFC 3339. Undefined for anything else.
 */
export function parseWhen(text: string, nowMs: number): number | undefined {
  const spanMs = parseSpan(text);
  if (spanMs !== undefined) return nowMs + spanMs;
  // Date.parse alone would take "30" for a year.
  if (!/^\d{4}-\d{2}-\d{2}/.test(text.trim())) return undefined;
  const moment = Date.parse(text.trim());
  return Number.isNaN(moment) ? undefined : moment;
}

/** A length of time such as `15m` or `30d`, in milliseconds; undefined for anything else. */
export function parseSpan(text: string): number | undefined {
  const span = SPAN.exec(text.trim());
  const unit = SPAN_MS[span?.[2] ?? ""];
  return span === null || unit === undefined ? undefined : Number(span[1]) * unit;
}

/** Minute in UTC, e.g. `2026-12-20 11:21Z`. */
export function minuteOf(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 16).replace("T", " ")}Z`;
}
