import type { Attempt, CallRecord } from "../core/call.js";
import type { BegunCall } from "./begun-call.js";

/**
 * Calls as the journal holds them: JSON lists of values in a fixed order. Without field names a record is
 * half as long and is written and read in half the time, which counts since this happens to every call.
 * Durations are whole microseconds, since a fraction takes JSON ten times as long. A field that is added later
 * goes to the end; the file header's version says which fields there are.
 */
type AttemptTuple = readonly [
  providerKeyId: string,
  providerId: string,
  startedMicros: number,
  durationMicros: number,
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
  latencyMicros: number,
  ttfbMicros: number | null,
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
/** Where a record's id begins: behind two brackets and a quote. */
const ID_START = 3;
const QUOTE = 0x22;

/** A call that has begun, with its JSON of at most 32 Ki characters. */
export interface EncodedBegun {
  readonly call: BegunCall;
  readonly json: string;
}

export function encodeBegun(call: BegunCall): EncodedBegun {
  return { call, json: bounded(begunTuple(call)) };
}

export function decodeBegun(json: string): BegunCall {
  return begunOf(JSON.parse(json) as BegunTuple);
}

/** JSON of a finished call; at most 32 Ki characters. What its begin says is not written anew. */
export function encodeRecord(record: CallRecord, begun?: EncodedBegun): string {
  if (begun !== undefined && isSame(record, begun.call)) {
    const json = `[${begun.json},${JSON.stringify(endTuple(record))}]`;
    if (json.length <= JSON_CHARS_MAX) return json;
  }
  return bounded([begunTuple(record), endTuple(record)]);
}

/** Whether a record says of its begin what was said then. */
function isSame(record: BegunCall, begun: BegunCall): boolean {
  return (
    record.id === begun.id &&
    record.startedAt === begun.startedAt &&
    record.clientKeyId === begun.clientKeyId &&
    record.clientKeyKind === begun.clientKeyKind &&
    record.ownerId === begun.ownerId &&
    record.modelAsked === begun.modelAsked &&
    record.endpoint === begun.endpoint &&
    record.dialect === begun.dialect &&
    record.streamed === begun.streamed &&
    record.ip === begun.ip
  );
}

/**
 * The record in JSON of `encodeRecord`. Written out field by field: taking lists apart by pattern and putting
 * objects together by spreading costs ten times as much, and all that a database was away for comes by here.
 */
export function decodeRecord(json: string): CallRecord {
  const [begun, end] = JSON.parse(json) as readonly [BegunTuple, EndTuple];
  const tokens = end[11];
  return {
    id: begun[0],
    startedAt: begun[1],
    clientKeyId: begun[2],
    clientKeyKind: begun[3],
    ownerId: begun[4],
    providerKeyId: end[0],
    providerId: end[1],
    modelAsked: begun[5],
    modelServed: end[2],
    endpoint: begun[6],
    dialect: begun[7],
    streamed: begun[8],
    status: end[3],
    httpStatus: end[4],
    errorCode: end[5],
    errorMessage: end[6],
    latencyMs: end[7] / 1000,
    ttfbMs: end[8] === null ? null : end[8] / 1000,
    requestBytes: end[9],
    responseBytes: end[10],
    tokens: {
      input: tokens[0],
      output: tokens[1],
      cacheRead: tokens[2],
      cacheWrite: tokens[3],
      reasoning: tokens[4],
    },
    costMicros: end[12],
    usageSource: end[13],
    ip: begun[9],
    attempts: end[14].map(attemptOf),
  };
}

/** The id alone of a record in JSON of `encodeRecord`, from its bytes. */
export function decodeRecordId(json: Buffer): string {
  const id = json.toString("utf8", ID_START, json.indexOf(QUOTE, ID_START));
  return id.includes("\\") ? decodeRecord(json.toString("utf8")).id : id;
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
  return {
    id: tuple[0],
    startedAt: tuple[1],
    clientKeyId: tuple[2],
    clientKeyKind: tuple[3],
    ownerId: tuple[4],
    modelAsked: tuple[5],
    endpoint: tuple[6],
    dialect: tuple[7],
    streamed: tuple[8],
    ip: tuple[9],
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
    micros(record.latencyMs),
    record.ttfbMs === null ? null : micros(record.ttfbMs),
    record.requestBytes,
    record.responseBytes,
    [tokens.input, tokens.output, tokens.cacheRead, tokens.cacheWrite, tokens.reasoning],
    record.costMicros,
    record.usageSource,
    record.attempts.map(attemptTuple),
  ];
}

function attemptTuple(attempt: Attempt): AttemptTuple {
  return [
    attempt.providerKeyId,
    attempt.providerId,
    micros(attempt.startedMs),
    micros(attempt.durationMs),
    attempt.httpStatus,
    attempt.outcome,
    attempt.detail,
  ];
}

function attemptOf(tuple: AttemptTuple): Attempt {
  return {
    providerKeyId: tuple[0],
    providerId: tuple[1],
    startedMs: tuple[2] / 1000,
    durationMs: tuple[3] / 1000,
    httpStatus: tuple[4],
    outcome: tuple[5],
    detail: tuple[6],
  };
}

function micros(ms: number): number {
  return Math.round(ms * 1000);
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
