import type { Attempt, CallRecord } from "../core/call.js";
import { SQLITE } from "./sql-dialect.js";

/** Columns of a new row, in the order of `rowText`. */
export const CALL_COLUMNS = [
  "id",
  "started_at",
  "client_key_ref",
  "owner_ref",
  "provider_key_ref",
  "provider_ref",
  "failed",
  "http_status",
  "latency_ms",
  "tokens",
  "cost_micros",
  "body",
] as const;

/** The places of a row's `body`, a JSON array; later versions only append to it. */
const BODY = [
  "clientKeyKind",
  "modelAsked",
  "modelServed",
  "endpoint",
  "dialect",
  "streamed",
  "errorCode",
  "errorMessage",
  "ttfbMs",
  "requestBytes",
  "responseBytes",
  "inputTokens",
  "outputTokens",
  "cacheReadTokens",
  "cacheWriteTokens",
  "reasoningTokens",
  "usageSource",
  "ip",
  "attempts",
] as const;

type BodyPart = (typeof BODY)[number];

type Body = readonly [
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

/** The expression of a part of the body that is text. */
export function bodyText(part: BodyPart): string {
  return SQLITE.jsonText("body", BODY.indexOf(part));
}

/** The expression of a part of the body that is a number. */
export function bodyInteger(part: BodyPart): string {
  return SQLITE.jsonInteger("body", BODY.indexOf(part));
}

/** How many attempts a call made. */
export const ATTEMPT_COUNT = SQLITE.jsonLength("body", BODY.indexOf("attempts"));

/** Numbers that stand for the names that a call is counted under; 0 for none. */
export interface CallRefs {
  readonly clientKey: number;
  readonly owner: number;
  readonly providerKey: number;
  readonly provider: number;
  readonly model: number;
}

/** A row as it is read, with its names in place of their numbers. */
export interface CallRow {
  seq: number;
  id: string;
  started_at: number;
  client_key_id: string;
  owner_id: string;
  provider_key_id: string | null;
  provider_id: string | null;
  failed: number;
  http_status: number;
  latency_ms: number;
  cost_micros: number | null;
  body: string;
}

/**
 * The end of a new row's JSON: all that does not depend on the numbers of names, and most of the work. Milliseconds
 * are kept whole.
 */
export function rowEnd(call: CallRecord): string {
  const values = [
    call.status === "ERROR" ? 1 : 0,
    call.httpStatus,
    Math.round(call.latencyMs),
    call.tokens.input + call.tokens.output,
    call.costMicros,
    bodyOf(call),
  ];
  return JSON.stringify(values).slice(1);
}

/** A new row as a JSON array, in the order of `CALL_COLUMNS`. */
export function rowText(call: CallRecord, end: string, refs: CallRefs): string {
  const { clientKey, owner, providerKey, provider } = refs;
  const id = JSON.stringify(call.id);
  return `[${id},${Math.round(call.startedAt)},${clientKey},${owner},${providerKey},${provider},${end}`;
}

/** The record that a row was made from. */
export function toCallRecord(row: CallRow): CallRecord {
  const body = JSON.parse(row.body) as Body;
  return {
    id: row.id,
    startedAt: row.started_at,
    clientKeyId: row.client_key_id,
    clientKeyKind: body[0],
    ownerId: row.owner_id,
    providerKeyId: row.provider_key_id,
    providerId: row.provider_id,
    modelAsked: body[1],
    modelServed: body[2],
    endpoint: body[3],
    dialect: body[4],
    streamed: body[5] === 1,
    status: row.failed === 1 ? "ERROR" : "SUCCESS",
    httpStatus: row.http_status,
    errorCode: body[6],
    errorMessage: body[7],
    latencyMs: row.latency_ms,
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
    costMicros: row.cost_micros,
    usageSource: body[16],
    ip: body[17],
    attempts: body[18].map(toAttempt),
  };
}

function bodyOf(call: CallRecord): Body {
  const { tokens } = call;
  return [
    call.clientKeyKind,
    call.modelAsked,
    call.modelServed,
    call.endpoint,
    call.dialect,
    call.streamed ? 1 : 0,
    call.errorCode,
    call.errorMessage,
    call.ttfbMs === null ? null : Math.round(call.ttfbMs),
    call.requestBytes,
    call.responseBytes,
    tokens.input,
    tokens.output,
    tokens.cacheRead,
    tokens.cacheWrite,
    tokens.reasoning,
    call.usageSource,
    call.ip,
    call.attempts.map((attempt) => [
      attempt.providerKeyId,
      attempt.providerId,
      Math.round(attempt.startedMs),
      Math.round(attempt.durationMs),
      attempt.httpStatus,
      attempt.outcome,
      attempt.detail,
    ]),
  ];
}

function toAttempt(packed: PackedAttempt): Attempt {
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
