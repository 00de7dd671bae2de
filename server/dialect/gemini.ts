import type { TokenUsage } from "../core/call.js";
import type { DialectCodec, Problem, StreamForm, StreamWatch } from "./codec.js";
import { lastObject, topLevelObject } from "./json-find.js";
import { lastEvent } from "./sse.js";
import { Tail } from "./tail.js";
import { geminiTokens } from "./tokens.js";
import { latin1 } from "./bytes.js";

/** Google's Gemini API. */
export const geminiCodec: DialectCodec = {
  dialect: "GEMINI",
  errorBody,
  streamError: (problem) => `data: ${errorBody(problem)}\n\n`,
  replyUsage: (reply) => topLevelObject(reply, "usageMetadata", geminiTokens),
  opensWithError: (events) => /^data: ?\{\s*"error"\s*:\s*\{/.test(latin1(events, 0, 64)),
  watch: (form) => new GeminiWatch(form),
};

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

class GeminiWatch implements StreamWatch {
  readonly #form: StreamForm;
  readonly #tail = new Tail();
  /** No event says that it is the last: only the end of the stream does. */
  readonly finished = false;
  readonly keptId = "";

  constructor(form: StreamForm) {
    this.#form = form;
  }

  push(events: Buffer): void {
    this.#tail.push(events);
  }

  completeWithout(): boolean {
    if (this.#form === "OTHER") return true;
    return /"(?:finishReason|blockReason)"/.test(latin1(this.#tail.bytes()));
  }

  failed(): boolean {
    return geminiCodec.opensWithError(lastEvent(this.#tail.bytes()));
  }

  usage(): TokenUsage | undefined {
    return lastObject(this.#tail.bytes(), "usageMetadata", geminiTokens);
  }
}
