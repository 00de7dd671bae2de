import { type Attempt, type BegunCall, type CallRecord, NOTHING_RESERVED } from "../core/call.js";
import type { BatchNews, FinishedCall } from "../core/finished-call.js";
import type { JsonWriter } from "../core/json-writer.js";

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
  /** Only of a call that begins: one that has finished says what it used. Old journals do not have these. */
  inputTokensReserved?: number,
  outputTokensReserved?: number,
  costMicrosReserved?: number,
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
  /** Of a call that makes something known of a batch: that as JSON. */
  news?: string,
];

/** A record's text of more bytes than this is written anew with every string cut. */
const RECORD_BYTES_MAX = 32 * 1024;
/** Characters that strings are cut to; with the last ones every record fits a frame. */
const CUTS = [RECORD_BYTES_MAX, 500, 50];
const CUT_LIST_ITEMS = 40;
/** The JSON of a call that has begun is kept up to this length; most is a quarter as long. */
const KEPT_BYTES_MAX = 1024;
/** Where a record's id begins: after two brackets and a quote. */
const ID_START = 3;
const QUOTE = 0x22;

/** A call that has begun and not finished. */
export interface OpenCall {
  readonly call: BegunCall;
  /** Its JSON once written, which its record repeats: a list that is still open, without what is reserved. */
  json: string | undefined;
}

/** Writes a call that has begun; about 32 KiB at most, since an absurdly long field must cost no more than itself. */
export function writeBegun(out: JsonWriter, open: OpenCall): void {
  if (open.json === undefined) {
    const start = out.length;
    bounded(out, open.call, putBegun);
    if (out.length - start <= KEPT_BYTES_MAX) open.json = out.writtenFrom(start);
  } else {
    out.again(open.json);
  }
  const { inputTokens, maxOutputTokens, costMicros } = open.call.reserved;
  out.number(inputTokens);
  out.number(maxOutputTokens);
  out.number(costMicros);
  out.closeList();
}

/** Writes a finished call; bounded likewise. `begun` is what it began as, where that is known. */
export function writeRecord(
  out: JsonWriter,
  record: FinishedCall,
  begun: OpenCall | undefined,
): void {
  const json = begun !== undefined && isBegunAs(record, begun.call) ? begun.json : undefined;
  bounded(out, record, putRecord, json);
}

export function decodeBegun(json: string): BegunCall {
  return begunOf(JSON.parse(json) as BegunTuple);
}

/**
 * The record in JSON of `writeRecord`. Written out field by field: taking lists apart by pattern and putting
 * objects together by spreading costs ten times as much, and all that a database was away for comes by here.
 */
export function decodeRecord(json: string): FinishedCall {
  const [begun, end] = JSON.parse(json) as readonly [BegunTuple, EndTuple];
  const tokens = end[11];
  const record: CallRecord = {
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
  const news = end[15];
  if (news === undefined) return record;
  return { ...record, news: JSON.parse(news) as BatchNews };
}

/** The id alone of a record in JSON of `writeRecord`, from its bytes. */
export function decodeRecordId(json: Buffer): string {
  const id = json.toString("utf8", ID_START, json.indexOf(QUOTE, ID_START));
  return id.includes("\\") ? decodeRecord(json.toString("utf8")).id : id;
}

/** Leaves its list open. */
function putBegun(out: JsonWriter, call: Omit<BegunCall, "reserved">, charsMax: number): void {
  out.openList();
  out.text(cut(call.id, charsMax));
  out.number(call.startedAt);
  out.word(cut(call.clientKeyId, charsMax));
  out.word(call.clientKeyKind);
  out.word(cut(call.ownerId, charsMax));
  out.word(cut(call.modelAsked, charsMax));
  out.word(cut(call.endpoint, charsMax));
  out.word(call.dialect);
  out.flag(call.streamed);
  out.word(cut(call.ip, charsMax));
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
    reserved: reservedOf(tuple),
  };
}

function reservedOf(tuple: BegunTuple): BegunCall["reserved"] {
  const { inputTokens, maxOutputTokens, costMicros } = NOTHING_RESERVED;
  return {
    inputTokens: tuple[10] ?? inputTokens,
    maxOutputTokens: tuple[11] ?? maxOutputTokens,
    costMicros: tuple[12] ?? costMicros,
  };
}

function isBegunAs(record: CallRecord, call: BegunCall): boolean {
  return (
    record.id === call.id &&
    record.startedAt === call.startedAt &&
    record.clientKeyId === call.clientKeyId &&
    record.clientKeyKind === call.clientKeyKind &&
    record.ownerId === call.ownerId &&
    record.modelAsked === call.modelAsked &&
    record.endpoint === call.endpoint &&
    record.dialect === call.dialect &&
    record.streamed === call.streamed &&
    record.ip === call.ip
  );
}

function putRecord(out: JsonWriter, record: FinishedCall, charsMax: number, begun?: string): void {
  out.openList();
  if (begun === undefined) putBegun(out, record, charsMax);
  else out.again(begun);
  out.closeList();
  putEnd(out, record, charsMax);
  out.closeList();
}

function putEnd(out: JsonWriter, record: FinishedCall, charsMax: number): void {
  const { tokens, attempts, news } = record;
  out.openList();
  out.word(cut(record.providerKeyId, charsMax));
  out.word(cut(record.providerId, charsMax));
  out.word(cut(record.modelServed, charsMax));
  out.word(record.status);
  out.number(record.httpStatus);
  out.word(cut(record.errorCode, charsMax));
  out.text(cut(record.errorMessage, charsMax));
  out.number(micros(record.latencyMs));
  out.number(record.ttfbMs === null ? null : micros(record.ttfbMs));
  out.number(record.requestBytes);
  out.number(record.responseBytes);
  out.openList();
  out.number(tokens.input);
  out.number(tokens.output);
  out.number(tokens.cacheRead);
  out.number(tokens.cacheWrite);
  out.number(tokens.reasoning);
  out.closeList();
  out.number(record.costMicros);
  out.word(record.usageSource);
  out.openList();
  const count = charsMax === RECORD_BYTES_MAX ? attempts.length : CUT_LIST_ITEMS;
  for (const attempt of attempts.slice(0, count)) putAttempt(out, attempt, charsMax);
  out.closeList();
  // It is short, and useless where it is cut.
  if (news !== undefined) out.text(JSON.stringify(news));
  out.closeList();
}

function putAttempt(out: JsonWriter, attempt: Attempt, charsMax: number): void {
  out.openList();
  out.word(cut(attempt.providerKeyId, charsMax));
  out.word(cut(attempt.providerId, charsMax));
  out.number(micros(attempt.startedMs));
  out.number(micros(attempt.durationMs));
  out.number(attempt.httpStatus);
  out.word(attempt.outcome);
  out.text(cut(attempt.detail, charsMax));
  out.closeList();
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

function bounded<T>(
  out: JsonWriter,
  value: T,
  put: (out: JsonWriter, value: T, charsMax: number, begun?: string) => void,
  begun?: string,
): void {
  const start = out.length;
  for (const charsMax of CUTS) {
    out.moveTo(start);
    put(out, value, charsMax, begun);
    if (out.length - start <= RECORD_BYTES_MAX) return;
  }
}

function cut<T extends string | null>(text: T, charsMax: number): string | T {
  return text === null || text.length <= charsMax ? text : text.slice(0, charsMax);
}
