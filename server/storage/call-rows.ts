import type { CallRecord } from "../core/call.js";
import { callOf, type CallBody, quoted } from "../core/call-text.js";
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

/** The places of a row's `body`, see `CallBody`. */
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

/** A new row as a JSON array, in the order of `CALL_COLUMNS`; `text`: what `callText` made of the call. */
export function rowText(call: CallRecord, text: string, refs: CallRefs): string {
  const { clientKey, owner, providerKey, provider } = refs;
  const names = `${clientKey},${owner},${providerKey},${provider}`;
  return `[${quoted(call.id)},${Math.round(call.startedAt)},${names},${text}`;
}

/** The record that a row was made from. */
export function toCallRecord(row: CallRow): CallRecord {
  const columns = {
    id: row.id,
    startedAt: row.started_at,
    clientKeyId: row.client_key_id,
    ownerId: row.owner_id,
    providerKeyId: row.provider_key_id,
    providerId: row.provider_id,
    status: row.failed === 1 ? "ERROR" : "SUCCESS",
    httpStatus: row.http_status,
    latencyMs: row.latency_ms,
    costMicros: row.cost_micros,
  } as const;
  return callOf(columns, JSON.parse(row.body) as CallBody);
}
