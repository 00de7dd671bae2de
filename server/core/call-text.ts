import type { Attempt, CallRecord } from "./call.js";

/**
 * A finished call in JSON, as the journal and the database hold it: written by hand, for this happens to every
 * call. Its text is the part that is the same in both: behind the names that the call is counted under, which
 * stand in the journal as they are and in the database as numbers.
 */
export type CallValues = readonly [
  failed: 0 | 1,
  httpStatus: number,
  latencyMs: number,
  tokens: number,
  costMicros: number | null,
  body: CallBody,
];

/** What has no column of its own in the database; later versions only append to it. */
export type CallBody = readonly [
  clientKeyKind: CallRecord["clientKeyKind"],
  modelAsked: string,
  modelServed: string | null,
  endpoint: string,
  dialect: CallRecord["dialect"],
  streamed: 0 | 1,
  errorCode: string | null,
  errorMessage: string | null,
  ttfbMs: number | null,
  requestBytes: number,
  responseBytes: number,
  inputTokens: number,
  outputTokens: number,
  cacheReadTokens: number,
  cacheWriteTokens: number,
  reasoningTokens: number,
  usageSource: CallRecord["usageSource"],
  ip: string,
  attempts: readonly PackedAttempt[],
];

type PackedAttempt = readonly [
  providerKeyId: string,
  providerId: string,
  startedMs: number,
  durationMs: number,
  httpStatus: number | null,
  outcome: Attempt["outcome"],
  detail: string,
];

/** What a call is counted under, and what has a column of its own, apart from the tokens. */
export type CallColumns = Pick<
  CallRecord,
  | "id"
  | "startedAt"
  | "clientKeyId"
  | "ownerId"
  | "providerKeyId"
  | "providerId"
  | "status"
  | "httpStatus"
  | "latencyMs"
  | "costMicros"
>;

/** A longer text is made anew with every string cut; three bytes per character fit a frame of the journal. */
const CHARS_MAX = 32 * 1024;
const CUT_STRING_CHARS = 500;
const CUT_ATTEMPTS = 40;

/** What JSON text may hold between its quotes as it is. */
const PLAIN = /^[ !#-[\]-~]*$/;

/** A string in JSON. */
export function quoted(text: string): string {
  return PLAIN.test(text) ? `"${text}"` : JSON.stringify(text);
}

/** A string in JSON, or null. */
export function quotedOrNull(text: string | null): string {
  return text === null ? "null" : quoted(text);
}

/** `CallValues` in JSON without the first bracket. Milliseconds are kept whole. */
export function callText(call: CallRecord): string {
  const text = textOf(call);
  return text.length <= CHARS_MAX ? text : textOf(shortened(call));
}

/** The record of which the columns and the body were kept. */
export function callOf(columns: CallColumns, body: CallBody): CallRecord {
  return {
    id: columns.id,
    startedAt: columns.startedAt,
    clientKeyId: columns.clientKeyId,
    clientKeyKind: body[0],
    ownerId: columns.ownerId,
    providerKeyId: columns.providerKeyId,
    providerId: columns.providerId,
    modelAsked: body[1],
    modelServed: body[2],
    endpoint: body[3],
    dialect: body[4],
    streamed: body[5] === 1,
    status: columns.status,
    httpStatus: columns.httpStatus,
    errorCode: body[6],
    errorMessage: body[7],
    latencyMs: columns.latencyMs,
    ttfbMs: body[8],
    requestBytes: body[9],
    responseBytes: body[10],
    tokens: {
      input: body[11],
      output: body[12],
      cacheRead: body[13],
      cacheWrite: body[14],
      reasoning: body[15],
    },
    costMicros: columns.costMicros,
    usageSource: body[16],
    ip: body[17],
    attempts: body[18].map(attemptOf),
  };
}

function textOf(call: CallRecord): string {
  const { tokens, ttfbMs } = call;
  const failed = call.status === "ERROR" ? 1 : 0;
  const streamed = call.streamed ? 1 : 0;
  const sum = tokens.input + tokens.output;
  const ttfb = ttfbMs === null ? "null" : Math.round(ttfbMs);
  const columns = `${failed},${call.httpStatus},${Math.round(call.latencyMs)},${sum},${call.costMicros}`;
  const asked = `"${call.clientKeyKind}",${quoted(call.modelAsked)},${quotedOrNull(call.modelServed)}`;
  const how = `${quoted(call.endpoint)},"${call.dialect}",${streamed}`;
  const error = `${quotedOrNull(call.errorCode)},${quotedOrNull(call.errorMessage)}`;
  const sizes = `${ttfb},${call.requestBytes},${call.responseBytes}`;
  const cached = `${tokens.cacheRead},${tokens.cacheWrite},${tokens.reasoning}`;
  const counted = `${tokens.input},${tokens.output},${cached},"${call.usageSource}"`;
  const tries = attemptsText(call.attempts);
  return `${columns},[${asked},${how},${error},${sizes},${counted},${quoted(call.ip)},[${tries}]]]`;
}

function attemptsText(attempts: readonly Attempt[]): string {
  let text = "";
  for (const attempt of attempts) {
    const key = `${quoted(attempt.providerKeyId)},${quoted(attempt.providerId)}`;
    const times = `${Math.round(attempt.startedMs)},${Math.round(attempt.durationMs)}`;
    const end = `${attempt.httpStatus},"${attempt.outcome}",${quoted(attempt.detail)}`;
    text += `${text === "" ? "" : ","}[${key},${times},${end}]`;
  }
  return text;
}

/** An absurdly long field must cost neither the record nor its frame. */
function shortened(call: CallRecord): CallRecord {
  return {
    ...call,
    modelAsked: cut(call.modelAsked),
    modelServed: call.modelServed === null ? null : cut(call.modelServed),
    endpoint: cut(call.endpoint),
    errorCode: call.errorCode === null ? null : cut(call.errorCode),
    errorMessage: call.errorMessage === null ? null : cut(call.errorMessage),
    ip: cut(call.ip),
    attempts: call.attempts
      .slice(0, CUT_ATTEMPTS)
      .map((attempt) => ({ ...attempt, detail: cut(attempt.detail) })),
  };
}

function cut(text: string): string {
  return text.slice(0, CUT_STRING_CHARS);
}

function attemptOf(packed: PackedAttempt): Attempt {
  return {
    providerKeyId: packed[0],
    providerId: packed[1],
    startedMs: packed[2],
    durationMs: packed[3],
    httpStatus: packed[4],
    outcome: packed[5],
    detail: packed[6],
  };
}
