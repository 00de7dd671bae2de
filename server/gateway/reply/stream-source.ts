import type { StreamEdit } from "../../dialect/codec.js";
import { UsageStripper } from "../../dialect/usage-strip.js";
import { VectorEncoder } from "../../dialect/vectors.js";
import type { Passage } from "../route/passages.js";
import type { Expected } from "./expected-reply.js";
import type { StreamOrigin, StreamSource } from "./relay-options.js";
import { isEvents, type ReplyHead } from "./reply-head.js";

/** A round trip whose reply goes on as it comes. */
interface StreamingTrip extends StreamOrigin {
  readonly options: Expected & { readonly passage: Passage };
  readonly flight: StreamSource["tap"];
}

/** The stream that a head begins; `unpacker` where it comes packed. */
export function streamFrom(
  trip: StreamingTrip,
  unpacker: (StreamSource["unpacker"] & StreamSource["tap"]) | undefined,
  head: ReplyHead,
  stripsUsage: boolean,
): StreamSource {
  const { options } = trip;
  const { codec, form } = options.passage;
  const events = isEvents(head);
  return {
    codec,
    form,
    events,
    elements: options.streamed && !events && form === "GENERATE",
    edit: editOf(options, events, stripsUsage),
    tap: unpacker ?? trip.flight,
    unpacker,
    trip,
  };
}

/** What changes a reply that goes on as it comes; undefined where nothing does. */
function editOf(
  { translation, encodesVectors }: Expected,
  events: boolean,
  stripsUsage: boolean,
): StreamEdit | undefined {
  if (translation !== undefined) return translation.stream();
  if (events) return stripsUsage ? new UsageStripper() : undefined;
  return encodesVectors ? new VectorEncoder() : undefined;
}
