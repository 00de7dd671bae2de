import { isRecord } from "../core/record.js";
import { eventData, lastBoundary, nextBoundary } from "./sse.js";

/**
 * With its quotes: in what a model says they would be escaped. The one in front is not sought, for a search stops at each,
 * and there are many.
 */
const BEGINS = Buffer.from('message_start"');
const QUOTE = 0x22;

/**
 * Where the event begins, in events of a stream of Anthropic's, that starts another message than the first; -1 for none, as
 * in nearly all streams. Between Anthropic and here a stream that broke off may be asked for again, and the new one follows
 * in the same body. What both say is no one reply: Anthropic refuses their thoughts when they come back as those of one.
 * `first`: the events with which the stream began; undefined where these are they.
 */
export function secondMessageIn(events: Buffer, first: Buffer | undefined): number {
  let begun = first;
  for (let at = events.indexOf(BEGINS); at >= 0; at = events.indexOf(BEGINS, at + BEGINS.length)) {
    if (events[at - 1] !== QUOTE) continue;
    const from = lastBoundary(events, at);
    if (begun === undefined) begun = events.subarray(from);
    else if (isAnother(messageIdIn(events, at), messageIdIn(begun, begun.indexOf(BEGINS)))) {
      return from;
    }
  }
  return -1;
}

function isAnother(id: string | undefined, before: string | undefined): boolean {
  return id !== undefined && before !== undefined && id !== before;
}

/** The id of the message that an event starts; undefined where it does not, or does not say. */
function messageIdIn(events: Buffer, at: number): string | undefined {
  if (at < 0) return undefined;
  const end = nextBoundary(events, at);
  const data = eventData(events.subarray(lastBoundary(events, at), end < 0 ? events.length : end));
  const event = data === undefined ? undefined : parsed(data);
  if (event?.["type"] !== "message_start" || !isRecord(event["message"])) return undefined;
  const { id } = event["message"];
  return typeof id === "string" ? id : undefined;
}

function parsed(data: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(data);
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
