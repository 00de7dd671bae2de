import { wholeOfEvents } from "../dialect/whole-of-events.js";
import type { Passage } from "./passages.js";

/** What a stream amounts to that was not asked for. */
export interface JoinedReply {
  /** The error that it tells, as `StreamWatch.failure` does. */
  readonly error: string | undefined;
  /** The reply that was asked for; undefined where it is no whole one. */
  readonly reply: Buffer | undefined;
}

/** Reads a stream as the whole reply that it says. */
export function joinedReply({ codec, form }: Passage, stream: Buffer): JoinedReply {
  const watch = codec.watch(form, true);
  watch.push(stream);
  const error = watch.failure();
  const isWhole = watch.finished || watch.completeWithout();
  const reply = isWhole && error === undefined ? wholeOfEvents(stream, form) : undefined;
  return { error, reply };
}
