import { isRecord } from "../core/record.js";
import { parseRecord } from "./json-record.js";
import { eventData, lastEventStart } from "./sse.js";

/** The last events of a stream that are looked into for how much of them is text. */
const SAMPLED_EVENTS_MAX = 32;
/** An event or a reply longer than this is not looked into: it would hold up other calls for too long. */
const READ_BYTES_MAX = 256 * 1024;
/** How deep in a reply the text of a model may be. */
const DEPTH_MAX = 8;

/** The names of members that hold what a model says, in one dialect or another. */
const SAID: ReadonlySet<string> = new Set([
  "content",
  "text",
  "delta",
  "refusal",
  "reasoning",
  "reasoning_content",
  "thinking",
  "arguments",
  "partial_json",
]);

/** Gemini's and Anthropic's names for what a function is called with. */
const ARGUMENTS: ReadonlySet<string> = new Set(["args", "input"]);

/**
 * The part of a stream's bytes that is what the model said, 0 to 1, judged by its last whole events. The rest
 * is framing, which often is thirty times as much. 1 where no event can be read. `counts`: the others are passed over.
 */
export function textShare(tail: Buffer, counts?: (event: Buffer) => boolean): number {
  let readBytes = 0;
  let saidBytes = 0;
  let events = tail;
  for (let looks = 0; looks < SAMPLED_EVENTS_MAX && events.length > 0; looks++) {
    const start = lastEventStart(events);
    const event = events.subarray(start);
    events = events.subarray(0, start);
    const said = counts?.(event) === false ? undefined : saidInEvent(event);
    if (said === undefined) continue;
    readBytes += event.length;
    saidBytes += said;
  }
  return readBytes === 0 ? 1 : Math.min(1, saidBytes / readBytes);
}

/** The bytes of one event that are what the model said; undefined where it cannot be read. */
export function saidInEvent(event: Buffer): number | undefined {
  const data = event.length > READ_BYTES_MAX ? undefined : eventData(event);
  const parsed = data === undefined ? undefined : parseRecord(data);
  return parsed === undefined ? undefined : saidIn(parsed, 0);
}

/** The bytes of a whole reply that are what the model said; all of them where it cannot be read. */
export function textBytes(reply: Buffer): number {
  const parsed = reply.length > READ_BYTES_MAX ? undefined : parseRecord(reply.toString());
  return parsed === undefined ? reply.length : saidIn(parsed, 0);
}

function saidIn(value: unknown, depth: number): number {
  if (depth > DEPTH_MAX || typeof value !== "object" || value === null) return 0;
  let bytes = 0;
  for (const [name, each] of Object.entries(value)) {
    if (typeof each === "string") bytes += SAID.has(name) ? Buffer.byteLength(each) : 0;
    // Calls of functions that come as objects, in whole replies and in Gemini's streams.
    else if (ARGUMENTS.has(name) && isRecord(each))
      bytes += Buffer.byteLength(JSON.stringify(each));
    else bytes += saidIn(each, depth + 1);
  }
  return bytes;
}
