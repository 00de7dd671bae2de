import { isAt, latin1 } from "../core/bytes.js";
import { parseRecord } from "./json-record.js";
import { commentsEnd, eventData, lastEventStart, nextBoundary } from "./sse.js";
import { saidInEvent, textShare } from "./text-share.js";

/** Long enough for the type of an event where it is named first. */
const HEAD_BYTES = 96;
/** Nearly every event of a response or a transcript, with its name before it or without. */
const DELTA =
  /^(?:event: ?|data: ?\{\s*"type"\s*:\s*")(?:response\.[a-z_.]+|transcript\.text)\.delta["\r\n]/;
const OF_TRANSCRIPT = /^(?:event: ?|data: ?\{\s*"type"\s*:\s*")transcript\.text\./;
const NAMED = /^(?:event: ?|data: ?\{\s*"type"\s*:\s*")([\w.]+)/;
const DATA = Buffer.from("data:");
/** Stands in whatever says a type that matters here: to parse an event that is no JSON costs as much as a hundred looks. */
const TYPE = Buffer.from('"response.');
/** Says all of a transcript again. */
const TRANSCRIPT_DONE = "transcript.text.done";
/** The events that carry the finished response or transcript. */
const LAST: ReadonlySet<string> = new Set([
  "response.completed",
  "response.incomplete",
  "response.failed",
  "response.cancelled",
  TRANSCRIPT_DONE,
]);
/** Those that say a piece as a whole, most of them again. */
const WHOLE: ReadonlySet<string> = new Set([
  "response.output_item.done",
  "transcript.text.segment",
]);

/** True where a stream of media is a transcript, and can be followed as a response is. */
export function isTranscript(events: Buffer): boolean {
  return OF_TRANSCRIPT.test(latin1(events, 0, HEAD_BYTES));
}

/**
 * Follows a streamed response or transcript: whether it has come to its end, and how much the model has said. That is
 * told in deltas and up to four times again when a piece is whole, so that only the deltas count where there are any.
 */
export class ResponseProgress {
  /** The last event has gone by, whatever came behind it. */
  finished = false;
  /** Bytes that were said before the last reads that begin and end with a delta. */
  #saidBytes = 0;
  /** Of these reads. */
  #deltaBytes = 0;
  #hasDeltas = false;

  /** Takes the next whole events; `tail` are those that went before. */
  push(events: Buffer, tail: { bytes(): Buffer }): void {
    const last = lastEventStart(events);
    if (isDelta(events, last) && (last === 0 || isDelta(events))) {
      this.#deltaBytes += events.length;
      this.#hasDeltas = true;
      return;
    }
    this.lookBack(tail);
    for (let from = commentsEnd(events, 0); from < events.length;) {
      const boundary = nextBoundary(events, from);
      const end = boundary < 0 ? events.length : boundary;
      this.#look(events.subarray(from, end));
      from = commentsEnd(events, end);
    }
  }

  /** Counts what the last reads said that were deltas; `tail` are these. */
  lookBack(tail: { bytes(): Buffer }): void {
    this.#saidBytes = this.saidBytes(tail);
    this.#deltaBytes = 0;
  }

  /** Bytes that the model has said so far, roughly, of which `tail` are the last events. */
  saidBytes(tail: { bytes(): Buffer }): number {
    if (this.#deltaBytes === 0) return this.#saidBytes;
    return this.#saidBytes + Math.ceil(this.#deltaBytes * textShare(tail.bytes(), isDelta));
  }

  #look(event: Buffer): void {
    const type = typeOf(event);
    if (LAST.has(type)) this.finished = true;
    if (this.#counts(type)) this.#saidBytes += saidInEvent(event) ?? 0;
  }

  #counts(type: string): boolean {
    if (type === TRANSCRIPT_DONE) return this.#saidBytes === 0;
    if (WHOLE.has(type)) return !this.#hasDeltas;
    const isDelta = type.endsWith(".delta");
    this.#hasDeltas ||= isDelta;
    return isDelta;
  }
}

function isDelta(events: Buffer, start = 0): boolean {
  return DELTA.test(latin1(events, start, start + HEAD_BYTES));
}

/** Some imitations name no event, and its type behind other members. */
function typeOf(event: Buffer): string {
  const named = NAMED.exec(latin1(event, 0, HEAD_BYTES))?.[1];
  if (named !== undefined) return named;
  const data = isAt(event, 0, DATA) && event.includes(TYPE) ? eventData(event) : undefined;
  const type = data === undefined ? undefined : parseRecord(data)?.["type"];
  return typeof type === "string" ? type : "";
}
