import type { ReplyFacts, TokenUsage } from "../core/call.js";
import type { DialectCodec, Opening, Problem, StreamForm, StreamWatch } from "./codec.js";
import { containerIdIn } from "./kept-ids.js";
import { isRecord } from "../core/record.js";
import { firstObject, lastObjectOfEvents, topLevelObject } from "./last-object.js";
import { firstFacts, NO_FACTS, type ReadFacts, reasonsIn, wholeFacts } from "./reply-facts.js";
import { secondMessageIn } from "./second-message.js";
import { nextBoundary } from "./sse.js";
import { Tail } from "./tail.js";
import { textShare } from "./text-share.js";
import { beginsWithError, isComment, lastError, openingOf, toldError } from "./told-errors.js";
import { anthropicTokens, usageAtEnd } from "./tokens.js";
import { latin1, utf8 } from "../core/bytes.js";

/** Anthropic's Messages API. */
export const anthropicCodec: DialectCodec = {
  dialect: "ANTHROPIC",
  errorBody,
  signOfLife: Buffer.from('event: ping\ndata: {"type": "ping"}\n\n'),
  streamError: (problem) => `event: error\ndata: ${errorBody(problem)}\n\n`,
  replyUsage: (reply) => topLevelObject(reply, "usage", anthropicTokens),
  replyFacts: (reply) => wholeFacts(reply, readFacts),
  replyFailure: (reply, form, isCounted) => {
    if (isCounted || form !== "MESSAGES") return undefined;
    const isError = /^\s*\{\s*"type"\s*:\s*"error"/.test(latin1(reply, 0, 64));
    return isError || beginsWithError(reply) ? toldError(utf8(reply)) : undefined;
  },
  watch: (form, isEvents) => new AnthropicWatch(form, isEvents),
};

function errorBody(problem: Problem): string {
  return JSON.stringify({
    type: "error",
    error: {
      type: errorType(problem.httpStatus),
      message: problem.message,
      details: detailsOf(problem),
    },
    request_id: problem.requestId,
    detail: problem.detail,
  });
}

/**
 * The code that Anthropic's SDK expects where a model cannot use threads: its tool runner then continues without them.
 */
function detailsOf({ code, field }: Problem): object {
  const isThread = code === "untranslatable" && field === "thread";
  if (!isThread) return { error_code: code };
  return { error_code: "thread_unsupported_request", unsupported: ["model"] };
}

function errorType(httpStatus: number): string {
  switch (httpStatus) {
    case 401:
      return "authentication_error";
    case 402:
      return "billing_error";
    case 403:
      return "permission_error";
    case 404:
      return "not_found_error";
    case 413:
      return "request_too_large";
    case 429:
      return "rate_limit_error";
    case 503:
    case 529:
      return "overloaded_error";
    case 504:
      return "timeout_error";
    default:
      return httpStatus >= 500 ? "api_error" : "invalid_request_error";
  }
}

/** Reads a message, or the event with which its stream begins. */
function readFacts(reply: Record<string, unknown>): ReadFacts {
  const { id, model, stop_reason: reason } = isRecord(reply["message"]) ? reply["message"] : reply;
  return { id, model, reasons: [reason] };
}

const STOP_REASON = /"stop_reason":\s*"(\w+)"/g;

/** The last event is this long with its event line; looking at no more keeps the watch cheap. */
const LAST_EVENT_BYTES = 96;
const LAST_TYPE = Buffer.from('"message_stop"');

const ERROR_EVENT = /^(?:event: ?error\r?\n|data: ?\{\s*"type"\s*:\s*"error")/;
const PING = /^(?:event: ?ping\r?\n|data: ?\{\s*"type"\s*:\s*"ping")/;

function isErrorEvent(event: Buffer): boolean {
  return ERROR_EVENT.test(latin1(event, 0, 64));
}

function saysNothing(event: Buffer): boolean {
  return isComment(event) || PING.test(latin1(event, 0, 64));
}

/** A usage that tells a number of tokens. */
function countedIn(usage: Record<string, unknown>): Record<string, unknown> | undefined {
  return anthropicTokens(usage) === undefined ? undefined : usage;
}

/** The event that opens a stream is much shorter. */
const BEGIN_BYTES = 8 * 1024;

/** The events that a stream begins with, without what a long read brought behind them. */
function beginOf(events: Buffer): Buffer {
  if (events.length <= BEGIN_BYTES) return events;
  const end = nextBoundary(events, BEGIN_BYTES);
  return Buffer.from(end < 0 ? events : events.subarray(0, end));
}

class AnthropicWatch implements StreamWatch {
  readonly #form: StreamForm;
  readonly #isEvents: boolean;
  readonly #tail = new Tail();
  /** The events with which a stream begins. */
  #first: Buffer | undefined;
  finished = false;
  readonly keptId = "";

  constructor(form: StreamForm, isEvents: boolean) {
    this.#form = form;
    this.#isEvents = isEvents;
  }

  madeIn(): string {
    return containerIdIn(this.#tail.bytes());
  }

  get keptBytes(): number {
    return this.#tail.keptBytes + (this.#first?.length ?? 0);
  }

  opening(events: Buffer): Opening {
    return this.#isEvents ? openingOf(events, isErrorEvent, saysNothing) : "REPLY";
  }

  brokenAt(events: Buffer): number {
    return this.#isEvents ? secondMessageIn(events, this.#first) : -1;
  }

  push(events: Buffer): void {
    this.#tail.push(events);
    if (!this.#isEvents) return;
    // The input is told in the first event, and again in the last but one by newer models only.
    this.#first ??= beginOf(events);
    const from = Math.max(0, events.length - LAST_EVENT_BYTES);
    // With its quotes: in what a model says they would be escaped.
    if (events.indexOf(LAST_TYPE, from) >= 0) this.finished = true;
  }

  completeWithout(): boolean {
    return this.#form === "OTHER" || !this.#isEvents;
  }

  failure(): string | undefined {
    return this.#isEvents ? lastError(this.#tail.bytes(), isErrorEvent) : undefined;
  }

  usage(): TokenUsage | undefined {
    // A short stream comes in one read, with its last usage behind the first. A reply that is no stream tells it once.
    const first = this.#first;
    const told = first === undefined ? undefined : firstObject(first, "usage", countedIn);
    const last = lastObjectOfEvents(this.#tail.bytes(), "usage", countedIn);
    if (last === undefined) return told === undefined ? undefined : anthropicTokens(told);
    return anthropicTokens(told === undefined ? last : usageAtEnd(told, last));
  }

  textShare(): number {
    return textShare(this.#tail.bytes());
  }

  facts(): ReplyFacts {
    const facts = this.#first === undefined ? NO_FACTS : firstFacts(this.#first, readFacts);
    return { ...facts, finishReasons: reasonsIn(this.#tail.bytes(), STOP_REASON).slice(-1) };
  }
}
