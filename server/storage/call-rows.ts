import type { Attempt, CallRecord } from "../core/call.js";
import { PLACE_STEP, type JsonWriter } from "../core/json-writer.js";
import { SQLITE } from "./sql-dialect.js";

/** Columns of a new row, in the order of `writeRow`. */
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
 * Writes a new row as a list in the order of `CALL_COLUMNS`; milliseconds are kept whole. Answers where `fillRefs` puts
 * the numbers of its names when they are not known yet.
 */
export function writeRow(out: JsonWriter, call: CallRecord, refs: CallRefs | undefined): number {
  const { tokens } = call;
  out.openList();
  out.text(call.id);
  out.number(Math.round(call.startedAt));
  const places = out.length;
  if (refs === undefined) {
    for (let i = 0; i < REFS; i++) out.place();
  } else {
    out.number(refs.clientKey);
    out.number(refs.owner);
    out.number(refs.providerKey);
    out.number(refs.provider);
  }
  out.number(call.status === "ERROR" ? 1 : 0);
  out.number(call.httpStatus);
  out.number(Math.round(call.latencyMs));
  out.number(tokens.input + tokens.output);
  out.number(call.costMicros);
  writeBody(out, call);
  out.closeList();
  return places;
}

/** Names that a row has the numbers of. */
const REFS = 4;

/** Puts numbers into the places that `writeRow` left for them. */
export function fillRefs(out: JsonWriter, places: number, refs: CallRefs): void {
  out.fill(places, refs.clientKey);
  out.fill(places + PLACE_STEP, refs.owner);
  out.fill(places + 2 * PLACE_STEP, refs.providerKey);
  out.fill(places + 3 * PLACE_STEP, refs.provider);
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

/** In the order of `BODY`. */
function writeBody(out: JsonWriter, call: CallRecord): void {
  const { tokens } = call;
  out.openList();
  out.word(call.clientKeyKind);
  out.word(call.modelAsked);
  out.word(call.modelServed);
  out.word(call.endpoint);
  out.word(call.dialect);
  out.number(call.streamed ? 1 : 0);
  out.word(call.errorCode);
  out.text(call.errorMessage);
  out.number(call.ttfbMs === null ? null : Math.round(call.ttfbMs));
  out.number(call.requestBytes);
  out.number(call.responseBytes);
  out.number(tokens.input);
  out.number(tokens.output);
  out.number(tokens.cacheRead);
  out.number(tokens.cacheWrite);
  out.number(tokens.reasoning);
  out.word(call.usageSource);
  out.word(call.ip);
  out.openList();
  for (const attempt of call.attempts) writeAttempt(out, attempt);
  out.closeList();
  out.closeList();
}

function writeAttempt(out: JsonWriter, attempt: Attempt): void {
  out.openList();
  out.word(attempt.providerKeyId);
  out.word(attempt.providerId);
  out.number(Math.round(attempt.startedMs));
  out.number(Math.round(attempt.durationMs));
  out.number(attempt.httpStatus);
  out.word(attempt.outcome);
  out.text(attempt.detail);
  out.closeList();
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
