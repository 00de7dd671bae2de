import type { ReplyFacts, TokenUsage } from "../core/call.js";
import type { DialectCodec, Opening, Problem, StreamForm, StreamWatch } from "./codec.js";
import { JsonArray } from "./json-array.js";
import { isRecord } from "../core/record.js";
import { lastObjectOfEvents, topLevelObject } from "./last-object.js";
import { lastFacts, type ReadFacts, reasonsIn, recordsOf, wholeFacts } from "./reply-facts.js";
import { Tail } from "./tail.js";
import { textShare } from "./text-share.js";
import { beginsWithError, isComment, lastError, openingOf, toldError } from "./told-errors.js";
import { geminiCacheTokens, geminiTokens } from "./tokens.js";
import { latin1, utf8 } from "../core/bytes.js";

/** Google's Gemini API. */
export const geminiCodec: DialectCodec = {
  dialect: "GEMINI",
  errorBody,
  // Google's older SDKs stumble over a comment.
  signOfLife: undefined,
  streamError,
  replyUsage: (reply) =>
    topLevelObject(reply, "usageMetadata", isCache(reply) ? geminiCacheTokens : geminiTokens),
  replyFacts: (reply) => wholeFacts(reply, readFacts),
  replyFailure: (reply, form, isCounted) => {
    if (isCounted || form !== "GENERATE") return undefined;
    return beginsWithError(reply) ? toldError(utf8(reply)) : undefined;
  },
  watch: (form, isEvents) =>
    form === "GENERATE" && !isEvents ? new ArrayWatch() : new GeminiWatch(form, isEvents),
};

/**
 * As an event, and again as text that belongs to none: Google's SDKs before 2.0, as Gemini CLI has one, pass over an
 * event with an error and take what came before it for the whole answer, but raise what is left over at the end.
 */
function streamError(problem: Problem): string {
  const error = errorBody(problem);
  return `data: ${error}\n\n${error}`;
}

/** Of a cache that is made only the sum of its tokens is told. */
function isCache(reply: Buffer): boolean {
  return /^\s*\{\s*"name"\s*:\s*"cachedContents\//.test(latin1(reply, 0, 64));
}

function errorBody(problem: Problem): string {
  return JSON.stringify({
    error: {
      code: problem.httpStatus,
      message: problem.message,
      status: errorStatus(problem.httpStatus),
      details: [
        {
          "@type": "type.googleapis.com/google.rpc.ErrorInfo",
          reason: problem.code.toUpperCase(),
          domain: "latchkey",
        },
      ],
    },
    detail: problem.detail,
  });
}

function errorStatus(httpStatus: number): string {
  switch (httpStatus) {
    case 401:
      return "UNAUTHENTICATED";
    case 402:
      return "FAILED_PRECONDITION";
    case 403:
      return "PERMISSION_DENIED";
    case 404:
      return "NOT_FOUND";
    case 409:
      return "ABORTED";
    case 429:
      return "RESOURCE_EXHAUSTED";
    case 501:
      return "UNIMPLEMENTED";
    case 502:
    case 503:
    case 529:
      return "UNAVAILABLE";
    case 504:
      return "DEADLINE_EXCEEDED";
    default:
      return httpStatus >= 500 ? "INTERNAL" : "INVALID_ARGUMENT";
  }
}

/** Reads a reply or an event of its stream. A prompt that is refused has no candidates, but a reason of its own. */
function readFacts(reply: Record<string, unknown>): ReadFacts {
  const { responseId: id, modelVersion: model, candidates, promptFeedback } = reply;
  const blocked = isRecord(promptFeedback) ? promptFeedback["blockReason"] : undefined;
  const reasons = recordsOf(candidates).map((candidate) => candidate["finishReason"]);
  return { id, model, reasons: blocked === undefined ? reasons : [...reasons, blocked] };
}

const REASON = /"(?:finishReason|blockReason)":\s*"(\w+)"/g;

function isErrorEvent(event: Buffer): boolean {
  return /^(?:data: ?)?\{\s*"error"\s*:\s*\{/.test(latin1(event, 0, 64));
}

class GeminiWatch implements StreamWatch {
  readonly #form: StreamForm;
  readonly #isEvents: boolean;
  protected readonly tail = new Tail();
  /** No event says that it is the last: only the end of the stream does. */
  readonly finished = false;
  readonly keptId = "";

  constructor(form: StreamForm, isEvents: boolean) {
    this.#form = form;
    this.#isEvents = isEvents;
  }

  get keptBytes(): number {
    return this.tail.keptBytes;
  }

  opening(events: Buffer): Opening {
    return this.#isEvents ? openingOf(events, isErrorEvent, isComment) : "REPLY";
  }

  push(events: Buffer): void {
    this.tail.push(events);
  }

  completeWithout(): boolean {
    if (this.#form === "OTHER" || !this.#isEvents) return true;
    return /"(?:finishReason|blockReason)"/.test(latin1(this.tail.bytes()));
  }

  failure(): string | undefined {
    return this.#isEvents ? lastError(this.tail.bytes(), isErrorEvent) : undefined;
  }

  usage(): TokenUsage | undefined {
    return lastObjectOfEvents(this.tail.bytes(), "usageMetadata", geminiTokens);
  }

  textShare(): number {
    return textShare(this.tail.bytes());
  }

  facts(): ReplyFacts {
    const tail = this.tail.bytes();
    // The arguments of a function call are JSON that a model wrote, and they stand before the reason.
    return { ...lastFacts(tail, readFacts), finishReasons: reasonsIn(tail, REASON).slice(-1) };
  }
}

/** An element, or a text that is no array, which is an error; without its blanks. */
const ERROR_ELEMENT = /^\[?\{"error":\{/;
/** As much of an array as does not show yet what its first element is; without its blanks. */
const UNDECIDED = /^\[?(?:\{(?:"\w*"?:?)?)?$/;
const ELEMENT_START_BYTES = 64;
const SPACE = 0x20;

/** The first of a text without its blanks: what stands between them would be looked at again and again for each. */
function startOf(text: Buffer): string {
  const start = Buffer.alloc(ELEMENT_START_BYTES);
  let bytes = 0;
  for (let at = 0; at < text.length && bytes < start.length; at++) {
    const byte = text[at] ?? 0;
    if (byte > SPACE) start[bytes++] = byte;
  }
  return latin1(start, 0, bytes);
}

/** For a stream that comes as one JSON array, as it does without `alt=sse`. */
class ArrayWatch extends GeminiWatch {
  readonly #array = new JsonArray();
  #start = "";

  constructor() {
    super("GENERATE", false);
  }

  override opening(piece: Buffer): Opening {
    this.#start += startOf(piece);
    if (ERROR_ELEMENT.test(this.#start)) return "ERROR";
    const isShort = this.#start.length < ELEMENT_START_BYTES;
    return isShort && UNDECIDED.test(this.#start) ? "NOTHING" : "REPLY";
  }

  override push(piece: Buffer): void {
    super.push(piece);
    this.#array.push(piece);
  }

  override completeWithout(): boolean {
    return this.#array.ended;
  }

  override failure(): string | undefined {
    const tail = this.tail.bytes();
    const start = this.#array.elementAt - (this.#array.bytes - tail.length);
    // An error is short: what began before the kept reads is none.
    if (start < 0) return undefined;
    const element = tail.subarray(start);
    if (!ERROR_ELEMENT.test(startOf(element))) return undefined;
    const text = utf8(element).trimEnd().replace(/\]$/, "").trimEnd();
    return toldError(text) ?? text;
  }
}
