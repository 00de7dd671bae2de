import { LONG_BYTES_MIN } from "../../dialect/translate/thread/long-translations.js";
import { reshaped, type Reshaping } from "../../dialect/translate/thread/works.js";
import type { AdmittedCall } from "../admitted-call.js";
import { later, type LaterListener } from "./later-work.js";
import type { Passage } from "../route/passages.js";

/**
 * A reply in the shape that was not asked for becomes the other: a short one at once, a long one beside the event loop.
 * Answers how to give that up; undefined where the listener has heard.
 */
export function reshape(
  { context, principal }: AdmittedCall,
  asked: Reshaping,
  listener: LaterListener<Buffer | undefined>,
): (() => void) | undefined {
  if (asked.body.length < LONG_BYTES_MIN) {
    listener.onMade(reshaped(asked));
    return undefined;
  }
  return context.longTranslations.reshape(principal, asked, later(listener));
}

/** How a stream ends that came whole: the error that it tells, as `StreamWatch.failure` does, and whether it says all. */
export function streamEnd(
  { codec, form }: Passage,
  stream: Buffer,
): { readonly error: string | undefined; readonly isWhole: boolean } {
  const watch = codec.watch(form, true);
  watch.push(stream);
  return { error: watch.failure(), isWhole: watch.finished || watch.completeWithout() };
}
