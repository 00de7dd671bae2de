import type { Attempt, CallRecord } from "../core/call.js";
import type { BegunCall } from "./begun-call.js";

/**
 * Calls as the journal holds them: JSON lists of values in a fixed order. Without field names a record is
 * half as long and is written and read in half the time, which counts since this happens to every call.
 * A field that is added later goes to the end; the file header's version says which fields there are.
 */
type AttemptTuple = readonly [
  providerKeyId: string,
  providerId: string,
  startedMs: number,
  durationMs: number,
  httpStatus: number | null,
  outcome: Attempt["outcome"],
  detail: string,
];

type BegunTuple = readonly [
  id: string,
  startedAt: number,
  clientKeyId: string,
  clientKeyKind: CallRecord["clientKeyKind"],
  ownerId: string,
  modelAsked: string,
  endpoint: string,
  dialect: CallRecord["dialect"],
  streamed: boolean,
  ip: string,
];

type EndTuple = readonly [
  providerKeyId: string | null,
  providerId: string | null,
  modelServed: string | null,
  status: CallRecord["status"],
  httpStatus: number,
  errorCode: string | null,
  errorMessage: string | null,
  latencyMs: number,
  ttfbMs: number | null,
  requestBytes: number,
  responseBytes: number,
  tokens: readonly [
    input: number,
    output: number,
    cacheRead: number,
    cacheWrite: number,
    reasoning: number,
  ],
  costMicros: number | null,
  usageSource: CallRecord["usageSource"],
  attempts: readonly AttemptTuple[],
];

/** Texts longer than this are encoded anew with every string cut; three bytes per character fit a frame. */
const JSON_CHARS_MAX = 32 * 1024;
const CUT_STRING_CHARS = 500;
const CUT_LIST_ITEMS = 40;

/** JSON of a call that begins; at most 32 Ki characters. */
export function encodeBegun(call: BegunCall): string {
  return bounded(begunTuple(call));
}

export function decodeBegun(json: string): BegunCall {
  return begunOf(JSON.parse(json) as BegunTuple);
}

/** JSON of a finished call; at most 32 Ki characters. */
export function encodeRecord(record: CallRecord): string {
  return bounded([begunTuple(record), endTuple(record)]);
}

export function decodeRecord(json: string): CallRecord {
  const [begun, end] = JSON.parse(json) as readonly [BegunTuple, EndTuple];
  return { ...begunOf(begun), ...endOf(end) };
}

function begunTuple(call: BegunCall): BegunTuple {
  return [
    call.id,
    call.startedAt,
    call.clientKeyId,
    call.clientKeyKind,
    call.ownerId,
    call.modelAsked,
    call.endpoint,
    call.dialect,
    call.streamed,
    call.ip,
  ];
}

function begunOf(tuple: BegunTuple): BegunCall {
  const [
    id,
    startedAt,
    clientKeyId,
    clientKeyKind,
    ownerId,
    modelAsked,
    endpoint,
    dialect,
    streamed,
    ip,
  ] = tuple;
  return {
    id,
    startedAt,
    clientKeyId,
    clientKeyKind,
    ownerId,
    modelAsked,
    endpoint,
    dialect,
    streamed,
    ip,
  };
}

function endTuple(record: CallRecord): EndTuple {
  const { tokens } = record;
  return [
    record.providerKeyId,
    record.providerId,
    record.modelServed,
    record.status,
    record.httpStatus,
    record.errorCode,
    record.errorMessage,
    record.latencyMs,
    record.ttfbMs,
    record.requestBytes,
    record.responseBytes,
    [tokens.input, tokens.output, tokens.cacheRead, tokens.cacheWrite, tokens.reasoning],
    record.costMicros,
    record.usageSource,
    record.attempts.map(attemptTuple),
  ];
}

function endOf(tuple: EndTuple): Omit<CallRecord, keyof BegunCall> {
  const [
    providerKeyId,
    providerId,
    modelServed,
    status,
    httpStatus,
    errorCode,
    errorMessage,
    latencyMs,
    ttfbMs,
    requestBytes,
    responseBytes,
    [input, output, cacheRead, cacheWrite, reasoning],
    costMicros,
    usageSource,
    attempts,
  ] = tuple;
  return {
    providerKeyId,
    providerId,
    modelServed,
    status,
    httpStatus,
    errorCode,
    errorMessage,
    latencyMs,
    ttfbMs,
    requestBytes,
    responseBytes,
    tokens: { input, output, cacheRead, cacheWrite, reasoning },
    costMicros,
    usageSource,
    attempts: attempts.map(attemptOf),
  };
}

function attemptTuple(attempt: Attempt): AttemptTuple {
  return [
    attempt.providerKeyId,
    attempt.providerId,
    attempt.startedMs,
    attempt.durationMs,
    attempt.httpStatus,
    attempt.outcome,
    attempt.detail,
  ];
}

function attemptOf(tuple: AttemptTuple): Attempt {
  const [providerKeyId, providerId, startedMs, durationMs, httpStatus, outcome, detail] = tuple;
  return { providerKeyId, providerId, startedMs, durationMs, httpStatus, outcome, detail };
}

/** An absurdly long field must cost neither the record nor the frame's bound. */
function bounded(tuple: readonly unknown[]): string {
  const json = JSON.stringify(tuple);
  if (json.length <= JSON_CHARS_MAX) return json;
  return JSON.stringify(tuple, (_key, part: unknown) => {
    if (typeof part === "string") return part.slice(0, CUT_STRING_CHARS);
    return Array.isArray(part) ? part.slice(0, CUT_LIST_ITEMS) : part;
  });
}
