import type { ReplyFacts, TokenUsage } from "../core/call.js";
import type { DialectCodec, Opening, Problem, StreamForm, StreamWatch } from "./codec.js";
import { isRecord } from "../core/record.js";
import { inTier } from "../core/service-tier.js";
import { parseRecord } from "./json-record.js";
import { withImageTool } from "./image-tool.js";
import { lastObject, lastObjectOfEvents, topLevelObject } from "./last-object.js";
import { responseId } from "./kept-ids.js";
import { isTranscript, ResponseProgress } from "./response-progress.js";
import { isUnwell } from "./response-status.js";
import { errorBody, failedResponse } from "./openai-errors.js";
import { lastFacts, type ReadFacts, reasonsIn, recordsOf, wholeFacts } from "./reply-facts.js";
import { lastEvent } from "./sse.js";
import { subtitlesEnd } from "./subtitles.js";
import { endsWith, Tail } from "./tail.js";
import { saidInEvent, textShare } from "./text-share.js";
import {
  beginsWithError,
  hasError,
  isComment,
  lastError,
  lastEvents,
  namesError,
  openingOf,
  toldError,
} from "./told-errors.js";
import { isWhole, tierIn, tierOfChat, tierOfChunks, tierOfResponse } from "./told-tier.js";
import { openaiTokens } from "./tokens.js";
import { isAt, latin1, utf8 } from "../core/bytes.js";

/** OpenAI's API and the many that imitate it. */
export const openaiCodec: DialectCodec = {
  dialect: "OPENAI",
  errorBody,
  // No blank line behind it: OpenAI's SDK for Go, up to 3.42, takes a comment that is alone for an event without data.
  signOfLife: Buffer.from(": keep-alive\n"),
  streamError: (problem) => `data: ${errorBody(problem)}\n\n`,
  replyUsage(reply, form) {
    if (form !== "RESPONSES") return topLevelObject(reply, "usage", repliedTokens);
    const told = withImageTool(topLevelObject(reply, "usage", openaiTokens), reply);
    return told === undefined ? undefined : inTier(told, tierIn(reply));
  },
  replyFacts: (reply) => wholeFacts(reply, readFacts),
  replyFailure,
  watch: (form, isEvents) => new OpenaiWatch(isEvents ? form : "BYTES"),
};

function repliedTokens(
  usage: Record<string, unknown>,
  reply: Buffer,
  start: number,
  end: number,
): TokenUsage | undefined {
  const told = openaiTokens(usage);
  return told === undefined ? undefined : inTier(told, tierOfChat(reply, start, end));
}

function chunkTokens(
  usage: Record<string, unknown>,
  tail: Buffer,
  start: number,
): TokenUsage | undefined {
  const told = openaiTokens(usage);
  return told === undefined ? undefined : inTier(told, tierOfChunks(tail, start));
}

/** Reads a chat completion or a chunk of one, a response, or the event that carries one. */
function readFacts(reply: Record<string, unknown>): ReadFacts {
  const response = isRecord(reply["response"]) ? reply["response"] : reply;
  const { id, model, choices, status } = response;
  const reasons = Array.isArray(choices)
    ? recordsOf(choices).map((choice) => choice["finish_reason"])
    : [endOf(response, status)];
  return { id, model, reasons };
}

/** A response says why it stopped only where that was too early; one in the background may go on. */
function endOf({ incomplete_details: details }: Record<string, unknown>, status: unknown): unknown {
  if (status === "queued" || status === "in_progress") return undefined;
  const reason = isRecord(details) ? details["reason"] : undefined;
  return reason ?? status;
}

const CHAT_REASON = /"finish_reason":\s*"(\w+)"/g;

/** Long enough for the patterns below; short enough to cost nothing. */
function head(event: Buffer): string {
  return latin1(event, 0, 96);
}

/** An error event, with its name before it or without. */
const ERROR_EVENT =
  /^(?:event: ?(?:error|response\.(?:failed|cancelled))\r?\n|data: ?\{\s*"(?:error"\s*:\s*[{"]|type"\s*:\s*"(?:error|response\.(?:failed|cancelled))"))/;
/** Events before the first that says something of a response. */
const BEFORE_RESPONSE =
  /^(?:event: ?(?:response\.(?:created|in_progress|queued)|keepalive)\r?\n|data: ?\{\s*"type"\s*:\s*"(?:response\.(?:created|in_progress|queued)|keepalive)")/;

/** What nearly every chunk of a chat begins with, and no other event that these look for. */
const CHUNK = Buffer.from('data: {"id":');

function isErrorEvent(event: Buffer): boolean {
  return !isAt(event, 0, CHUNK) && ERROR_EVENT.test(head(event));
}

/** For a response, which may have failed whatever its last event is called. */
function isResponseError(event: Buffer): boolean {
  return isErrorEvent(event) || isUnwell(event);
}

/** For a chat stream, where an error may come after other members. */
function isChatError(event: Buffer): boolean {
  return isErrorEvent(event) || hasError(event);
}

/** What tells an error in a stream of each form. */
const ERRORS: Readonly<Record<StreamForm, (event: Buffer) => boolean>> = {
  CHAT: isChatError,
  RESPONSES: isResponseError,
  MESSAGES: isErrorEvent,
  GENERATE: isErrorEvent,
  OTHER: isErrorEvent,
};

function saysNothing(event: Buffer): boolean {
  return !isAt(event, 0, CHUNK) && (isComment(event) || BEFORE_RESPONSE.test(head(event)));
}

/** Errors are short. */
const ERROR_REPLY_BYTES_MAX = 64 * 1024;

const DONE = Buffer.from("[DONE]");

/** Events of transcriptions, speech and images after which another has to come. */
const PART_OF_MEDIA =
  /^(?:event: ?|data: ?\{\s*"type"\s*:\s*")(?:(?:transcript\.text|speech\.audio)\.(?:delta|segment)|image_(?:generation|edit)\.partial_image)["\r\n]/;

const SPEECH_DONE = /^(?:event: ?|data: ?\{\s*"type"\s*:\s*")speech\.audio\.done["\r\n]/;

const SEQUENCE = /"sequence_number":\s*(\d{1,9})\b/g;

/** The number of a response's last event; -1 where none has one. */
function lastSequence(tail: Buffer): number {
  let last = -1;
  for (const [, digits] of latin1(tail).matchAll(SEQUENCE)) last = Number(digits);
  return last;
}

class OpenaiWatch implements StreamWatch {
  readonly #form: StreamForm | "BYTES";
  readonly #tail = new Tail();
  /** Of a response or a transcript alone. */
  #progress: ResponseProgress | undefined;
  #opened = false;
  finished = false;
  keptId = "";

  constructor(form: StreamForm | "BYTES") {
    this.#form = form;
    this.#progress = form === "RESPONSES" ? new ResponseProgress() : undefined;
  }

  get keptBytes(): number {
    return this.#tail.keptBytes;
  }

  opening(events: Buffer): Opening {
    if (this.#form === "BYTES") return "REPLY";
    return openingOf(events, ERRORS[this.#form], saysNothing);
  }

  push(events: Buffer): void {
    if (this.#form === "OTHER" && isTranscript(events)) this.#progress ??= new ResponseProgress();
    if (!this.finished && this.#progress !== undefined) {
      this.#progress.push(events, this.#tail);
      this.finished = this.#progress.finished;
    }
    this.#tail.push(events);
    if (!this.#opened) {
      this.#opened = true;
      if (this.#form === "RESPONSES" || this.#form === "CHAT") this.keptId = responseId(events);
    }
    if (this.finished) return;
    if (this.#form === "CHAT") this.finished = endsWith(events, DONE);
    if (this.#form === "OTHER") this.finished = SPEECH_DONE.test(head(lastEvent(events)));
  }

  lookBack(): void {
    if (!this.finished) this.#progress?.lookBack(this.#tail);
  }

  completeWithout(): boolean {
    if (this.#form === "BYTES") return true;
    if (this.#form === "RESPONSES") return false;
    if (this.#form === "OTHER") {
      return this.#opened && !PART_OF_MEDIA.test(head(lastEvent(this.#tail.bytes())));
    }
    return /"finish_reason":\s*"/.test(latin1(this.#tail.bytes()));
  }

  errorEvents(problem: Problem): string | undefined {
    if (this.#form !== "RESPONSES") return undefined;
    const id = this.keptId === "" ? `resp_${problem.requestId}` : this.keptId;
    const response = { id, object: "response", output: [] };
    const sequence = lastSequence(this.#tail.bytes()) + 1;
    return failedResponse(problem, { response, sequence });
  }

  failure(): string | undefined {
    if (this.#form === "BYTES") return undefined;
    const tail = this.#tail.bytes();
    if (this.#form !== "CHAT") return lastError(tail, ERRORS[this.#form]);
    const events = lastEvents(tail);
    return namesError(events) ? lastError(events, isChatError) : undefined;
  }

  usage(): TokenUsage | undefined {
    const tail = this.#tail.bytes();
    if (this.#form === "CHAT") return lastObject(tail, "usage", chunkTokens);
    const told = lastObjectOfEvents(tail, "usage", openaiTokens);
    if (told === undefined || this.#form !== "RESPONSES") return told;
    return withImageTool(inTier(told, tierOfResponse(lastEvent(tail))), tail);
  }

  hidesTier(): boolean {
    if (this.#form === "BYTES") return true;
    return this.#form === "RESPONSES" && !isWhole(lastEvent(this.#tail.bytes()));
  }

  spokenUntil(): number | undefined {
    return subtitlesEnd(this.#tail.bytes());
  }

  textShare(): number {
    return textShare(this.#tail.bytes());
  }

  saidBytes(): number | undefined {
    if (this.#progress === undefined) return undefined;
    const inAll = this.finished ? saidInEvent(lastEvent(this.#tail.bytes())) : undefined;
    if (inAll !== undefined && inAll > 0) return inAll;
    const soFar = this.#progress.saidBytes(this.#tail);
    return soFar > 0 ? soFar : inAll;
  }

  facts(): ReplyFacts {
    const tail = this.#tail.bytes();
    const facts = lastFacts(tail, readFacts);
    if (this.#form === "RESPONSES") return facts;
    // Each choice ends in an event of its own, and the usage comes after them.
    return { ...facts, finishReasons: reasonsIn(tail, CHAT_REASON) };
  }
}

/**
 * Some imitations answer so. Of a chat completion alone is an error beside other members known to be its own; of a
 * response its status tells.
 */
function replyFailure(reply: Buffer, form: StreamForm, isCounted: boolean): string | undefined {
  if (beginsWithError(reply)) {
    const text = utf8(reply);
    if (parseRecord(text)?.["choices"] === undefined) return toldError(text) ?? text;
  }
  if (form === "RESPONSES" && isUnwell(reply)) return toldError(utf8(reply));
  if (form !== "CHAT" || isCounted || reply.length > ERROR_REPLY_BYTES_MAX) return undefined;
  return namesError(reply) ? toldError(utf8(reply)) : undefined;
}
