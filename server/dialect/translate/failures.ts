import { statusOfTold } from "../told-status.js";
import { number } from "./json.js";
import type { Failure } from "./reply.js";

/** In the place of a message where there is none. */
export const NO_REASON = "The provider gave no reason.";

/** The status that an error names, where that is one of a failure; else that of the answer. */
export function failureStatus(named: unknown, httpStatus: number): number {
  const status = number(named) ?? 0;
  return status >= 400 && status < 600 ? status : httpStatus;
}

/** A failure told inside a stream has no status of its own: one that fits its name is put in place. */
export function failedInside(failure: Failure | undefined): Failure | undefined {
  if (failure === undefined || failure.httpStatus >= 400) return failure;
  return { ...failure, httpStatus: statusOfTold(failure.code, failure.message) };
}

/** They speak of the provider's key, and a caller would take them for its own. */
const OF_KEY: ReadonlySet<number> = new Set([401, 402, 403]);

/** A failure told inside a stream as its caller hears of it. */
export function callersFailure(failure: Failure): Failure {
  return OF_KEY.has(failure.httpStatus) ? { ...failure, httpStatus: 500 } : failure;
}

const TOO_LONG =
  /prompt is too long|context[ _]length|context window|maximum context|input token count .*exceeds/i;

/** As Anthropic and Google say that there is no such model. */
const NO_MODEL = /^(?:model: |models\/)/;

/** As Anthropic and Google call it that a limit was met. */
const LIMITED: ReadonlySet<string> = new Set(["rate_limit_error", "RESOURCE_EXHAUSTED"]);

/** The failure in the words by which callers' tools know that a conversation has grown too long, or a model is missing. */
export function knownFailure(failure: Failure, caller: "OPENAI" | "ANTHROPIC" | "GEMINI"): Failure {
  if (caller === "OPENAI" && failure.httpStatus === 404 && NO_MODEL.test(failure.message)) {
    return { ...failure, code: "model_not_found" };
  }
  if (caller === "OPENAI" && LIMITED.has(failure.code)) {
    return { ...failure, code: "rate_limit_exceeded" };
  }
  const tooLong = failure.code === "context_length_exceeded" || TOO_LONG.test(failure.message);
  if (!tooLong || failure.httpStatus >= 500) return failure;
  const { httpStatus, message } = failure;
  if (caller === "OPENAI") return { httpStatus, code: "context_length_exceeded", message };
  if (caller === "GEMINI" || message.startsWith("prompt is too long")) return failure;
  return { httpStatus, code: failure.code, message: `prompt is too long: ${message}` };
}
