import type { CallRecord } from "../core/call.js";

/** Columns of a row of sums. */
export const COLUMN = {
  calls: 0,
  successes: 1,
  /** Of the errors, by what the caller got: 429, other 4xx, 5xx, and 499 for callers that left. */
  rateLimited: 2,
  callerErrors: 3,
  serverErrors: 4,
  aborted: 5,
  inputTokens: 6,
  outputTokens: 7,
  cacheReadTokens: 8,
  cacheWriteTokens: 9,
  reasoningTokens: 10,
  costMicros: 11,
  unpricedCalls: 12,
  attempts: 13,
  /** Attempts that failed and were hidden from the caller by another one. */
  failovers: 14,
} as const;

export const COLUMNS = 15;

/** Sums over calls. Integers; money in micro-US-dollars. */
export type CallSums = { readonly [K in keyof typeof COLUMN]: number };

/** What a caller sees who left before the end. */
const CLIENT_CLOSED = 499;
const TOO_MANY_REQUESTS = 429;

/** Adds a call to the row of sums that begins at `at`. */
export function addCall(sums: Float64Array, at: number, record: CallRecord): void {
  const { tokens, attempts } = record;
  const ok = record.status === "SUCCESS";
  bump(sums, at + COLUMN.calls, 1);
  if (ok) bump(sums, at + COLUMN.successes, 1);
  else bump(sums, at + errorColumn(record.httpStatus), 1);
  bump(sums, at + COLUMN.inputTokens, tokens.input);
  bump(sums, at + COLUMN.outputTokens, tokens.output);
  bump(sums, at + COLUMN.cacheReadTokens, tokens.cacheRead);
  bump(sums, at + COLUMN.cacheWriteTokens, tokens.cacheWrite);
  bump(sums, at + COLUMN.reasoningTokens, tokens.reasoning);
  if (record.costMicros !== null) bump(sums, at + COLUMN.costMicros, record.costMicros);
  else bump(sums, at + COLUMN.unpricedCalls, 1);
  bump(sums, at + COLUMN.attempts, attempts.length);
  if (ok && attempts.length > 1) bump(sums, at + COLUMN.failovers, attempts.length - 1);
}

/** Adds one row to another. */
export function addRow(sum: Float64Array, rows: Float64Array, at: number): void {
  for (let i = 0; i < COLUMNS; i++) sum[i] = (sum[i] ?? 0) + (rows[at + i] ?? 0);
}

/** A row of sums by name. */
export function readSums(row: Float64Array): CallSums {
  const value = (column: number): number => row[column] ?? 0;
  return {
    calls: value(COLUMN.calls),
    successes: value(COLUMN.successes),
    rateLimited: value(COLUMN.rateLimited),
    callerErrors: value(COLUMN.callerErrors),
    serverErrors: value(COLUMN.serverErrors),
    aborted: value(COLUMN.aborted),
    inputTokens: value(COLUMN.inputTokens),
    outputTokens: value(COLUMN.outputTokens),
    cacheReadTokens: value(COLUMN.cacheReadTokens),
    cacheWriteTokens: value(COLUMN.cacheWriteTokens),
    reasoningTokens: value(COLUMN.reasoningTokens),
    costMicros: value(COLUMN.costMicros),
    unpricedCalls: value(COLUMN.unpricedCalls),
    attempts: value(COLUMN.attempts),
    failovers: value(COLUMN.failovers),
  };
}

/** A stream that broke after a 200 is our or the provider's failure, so it counts with the 5xx. */
function errorColumn(httpStatus: number): number {
  if (httpStatus === CLIENT_CLOSED) return COLUMN.aborted;
  if (httpStatus === TOO_MANY_REQUESTS) return COLUMN.rateLimited;
  return httpStatus >= 400 && httpStatus < 500 ? COLUMN.callerErrors : COLUMN.serverErrors;
}

function bump(sums: Float64Array, at: number, by: number): void {
  sums[at] = (sums[at] ?? 0) + by;
}
