import { bounded } from "../../core/bytes.js";
import { isRecord } from "../../core/record.js";
import { parseRecord } from "../../dialect/json-record.js";
import { redact } from "../../upstream/redact.js";
import {
  type AttemptFailure,
  callersStatus,
  DETAIL_CHARS_MAX,
  failedTask,
} from "./attempt-failure.js";
import { failedInside, refused } from "./judged-failure.js";
import { type ReplyHead, translatedHead } from "../reply/reply-head.js";
import { withoutMark } from "../reply/reply-look.js";
import type { RoundTripOptions } from "./round-trip-options.js";

// What a provider says of its failure in one round trip: without the key's secret, and as the caller can read it.

/** It refused over HTTP. `body` is what has come of its answer. */
export function refusedOverHttp(
  trip: RoundTripOptions,
  head: ReplyHead,
  body: Buffer,
): AttemptFailure {
  const text = redact(withoutMark(body).toString("utf8"), trip.secret);
  return refused(head, text, trip.call.context.clock.now(), () => passedOn(trip, head, text));
}

/** It told an error inside its reply or stream; `error` as `toldError` makes it. */
export function toldInside(trip: RoundTripOptions, error: string): AttemptFailure {
  const { clock, limits } = trip.call.context;
  const short = error.length <= limits.errorReplyBytesMax ? error : shortened(error);
  return failedInside(redact(short, trip.secret), clock.now());
}

/** So much of the words of an error that is longer than a refusal may be; to judge megabytes would hold others up. */
const WORDS_CHARS_MAX = 4096;
const CODE_CHARS_MAX = 100;

function shortened(error: string): string {
  const told = parseRecord(error)?.["error"];
  const said = isRecord(told) ? told : { message: told };
  const code = (name: string): unknown => beginOf(said[name], CODE_CHARS_MAX);
  const message = beginOf(said["message"], WORDS_CHARS_MAX);
  const names = { code: code("code"), type: code("type"), status: code("status") };
  return JSON.stringify({ error: { ...names, message } });
}

function beginOf(value: unknown, charsMax: number): unknown {
  if (typeof value === "string") return bounded(value, charsMax);
  return typeof value === "number" ? value : undefined;
}

/** As `toldInside`, of a whole reply: where the request is at fault, the caller reads why. */
export function refusedInside(
  trip: RoundTripOptions,
  head: ReplyHead,
  body: Buffer,
  error: string,
): AttemptFailure {
  const failure = toldInside(trip, error);
  const isShort = body.length <= trip.call.context.limits.errorReplyBytesMax;
  if (failure.outcome !== "REQUEST_REFUSED" || !isShort) return failure;
  const httpStatus = failure.httpStatus ?? head.httpStatus;
  const text = redact(body.toString("utf8"), trip.secret);
  return { ...failure, reply: passedOn(trip, { ...head, httpStatus }, text) };
}

/** The task that it had begun came to nothing. */
export function taskRefused(
  trip: RoundTripOptions,
  head: ReplyHead,
  said: { readonly httpStatus: number; readonly message: string },
): AttemptFailure {
  const { httpStatus } = said;
  const message = bounded(redact(said.message, trip.secret), DETAIL_CHARS_MAX);
  const reply = passedOn(trip, { ...head, httpStatus }, JSON.stringify({ message }));
  return failedTask(message, httpStatus, reply);
}

/** The provider's own refusal, as the caller gets it: a translated one is JSON also where a stream was asked for. */
function passedOn(trip: RoundTripOptions, head: ReplyHead, text: string): AttemptFailure["reply"] {
  const { translation, endpoint, call } = trip;
  const httpStatus = callersStatus(head.httpStatus);
  if (translation === undefined) return { head: { ...head, httpStatus }, body: text };
  const json = { contentType: "application/json", dialect: endpoint.dialect, id: call.id };
  const body = translation.error(httpStatus, text);
  return { head: { ...translatedHead(head, json), httpStatus }, body };
}
