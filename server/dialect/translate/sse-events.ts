import { Fault } from "../../core/fault.js";
import { utf8 } from "../../core/bytes.js";
import { commentsEnd, EventGate, eventData, nextBoundary } from "../sse.js";
import { type JsonObject, parseObject } from "./json.js";

/** One server-sent event with data. */
export interface SseEvent {
  /** The text of its `event:` line; empty without one. */
  readonly name: string;
  readonly data: string;
}

/** Longer than any event that a provider sends; a translation must hold an event whole. */
const EVENT_BYTES_MAX = 16 * 1024 * 1024;

/** Cuts a stream of bytes, however it was split on its way, into events. */
export class SseEvents {
  readonly #gate = new EventGate(EVENT_BYTES_MAX);

  /** Bytes of an event that is not whole yet. */
  get heldBytes(): number {
    return this.#gate.heldBytes;
  }

  /** The events that are whole by now. Throws Fault `upstream_error` for one that is too long. */
  push(chunk: Buffer): SseEvent[] {
    const whole = this.#gate.push(chunk);
    if (this.#gate.midEvent) {
      throw new Fault(
        "upstream_error",
        "The provider sent an event that is too long to translate.",
      );
    }
    return whole === undefined ? [] : eventsOf(whole);
  }

  /** The last event, where the provider left out the blank line after it. */
  rest(): SseEvent[] {
    const rest = this.#gate.rest();
    return rest === undefined ? [] : eventsOf(rest);
  }
}

/**
 * What an event says; undefined for what is no object, such as a word that keeps the connection open. Throws Fault
 * `upstream_error` for an object that cannot be read: without it a reply would look whole and not be.
 */
export function eventObject({ data }: SseEvent): JsonObject | undefined {
  const said = parseObject(data);
  if (said === undefined && data.trimStart().startsWith("{")) {
    throw new Fault("upstream_error", "The provider sent an event that is no valid JSON.");
  }
  return said;
}

function eventsOf(text: Buffer): SseEvent[] {
  const events: SseEvent[] = [];
  let at = commentsEnd(text, 0);
  while (at < text.length) {
    const boundary = nextBoundary(text, at);
    const end = boundary < 0 ? text.length : boundary;
    const event = text.subarray(at, end);
    const data = eventData(event);
    if (data !== undefined) events.push({ name: nameOf(event), data });
    at = commentsEnd(text, end);
  }
  return events;
}

function nameOf(event: Buffer): string {
  return /^event: ?(.*?)\r?$/m.exec(utf8(event, 0, Math.min(event.length, 256)))?.[1] ?? "";
}
