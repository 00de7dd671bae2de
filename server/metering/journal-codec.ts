import type { CallRecord } from "../core/call.js";
import { callOf, callText, type CallValues, quoted, quotedOrNull } from "../core/call-text.js";
import type { BegunCall } from "./begun-call.js";

/**
 * Calls as the journal holds them: JSON lists of values in a fixed order. Without field names a record is
 * half as long and is written and read in half the time, which counts since this happens to every call.
 * A field that is added later goes to the end; the file header's version says which fields there are.
 */
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

/** The names that a call is counted under, and the text of its record. */
type RecordTuple = readonly [
  id: string,
  startedAt: number,
  clientKeyId: string,
  ownerId: string,
  providerKeyId: string | null,
  providerId: string | null,
  ...CallValues,
];

/** Of a path or a model's name; nothing else that begins a call can be long. */
const BEGUN_CHARS_MAX = 2048;
/** Where a record's id begins: behind a bracket and a quote. */
const ID_START = 2;
const QUOTE = 0x22;

/** JSON of a call that has begun. */
export function encodeBegun(call: BegunCall): string {
  const { id, startedAt, clientKeyId, clientKeyKind, ownerId, dialect, streamed, ip } = call;
  const asked = `${begunText(call.modelAsked)},${begunText(call.endpoint)}`;
  const who = `${quoted(clientKeyId)},"${clientKeyKind}",${quoted(ownerId)}`;
  return `[${quoted(id)},${startedAt},${who},${asked},"${dialect}",${streamed},${quoted(ip)}]`;
}

export function decodeBegun(json: string): BegunCall {
  const tuple = JSON.parse(json) as BegunTuple;
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

/** JSON of a finished call. */
export function encodeRecord(record: CallRecord): string {
  const { id, startedAt, clientKeyId, ownerId, providerKeyId, providerId } = record;
  const names = `${quoted(clientKeyId)},${quoted(ownerId)},${quotedOrNull(providerKeyId)}`;
  const head = `[${quoted(id)},${startedAt},${names},${quotedOrNull(providerId)}`;
  return `${head},${callText(record)}`;
}

/** The record in the JSON of `encodeRecord`. */
export function decodeRecord(json: string): CallRecord {
  const tuple = JSON.parse(json) as RecordTuple;
  const columns = {
    id: tuple[0],
    startedAt: tuple[1],
    clientKeyId: tuple[2],
    ownerId: tuple[3],
    providerKeyId: tuple[4],
    providerId: tuple[5],
    status: tuple[6] === 1 ? "ERROR" : "SUCCESS",
    httpStatus: tuple[7],
    latencyMs: tuple[8],
    costMicros: tuple[10],
  } as const;
  return callOf(columns, tuple[11]);
}

/** The id alone of a record, from the bytes of its JSON. */
export function decodeRecordId(json: Buffer): string {
  const id = json.toString("utf8", ID_START, json.indexOf(QUOTE, ID_START));
  return id.includes("\\") ? decodeRecord(json.toString("utf8")).id : id;
}

/** An absurdly long field must cost neither the record nor the frame's bound. */
function begunText(text: string): string {
  return quoted(text.length <= BEGUN_CHARS_MAX ? text : text.slice(0, BEGUN_CHARS_MAX));
}
