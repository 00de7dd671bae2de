import type { Problem } from "./codec.js";

// How errors are said in OpenAI's API: in an answer, in a stream, and in a streamed response.

/** The JSON text of an error answer. */
export function errorBody(problem: Problem): string {
  return JSON.stringify({ error: errorOf(problem, problem.code), detail: problem.detail });
}

/** What a response that fails is told to be, as far as it is known; and the number of the next event. */
export interface FailingResponse {
  readonly response: Readonly<Record<string, unknown>>;
  readonly sequence: number;
}

/**
 * The last events of a streamed response that failed, as OpenAI sends them: SDKs raise the first, Codex reads the
 * second. The first says the error as it is documented and as it is sent.
 */
export function failedResponse(problem: Problem, { response, sequence }: FailingResponse): string {
  const code = codeInResponse(problem);
  const error = errorOf(problem, code);
  const { message, param } = error;
  const told = { type: "error", sequence_number: sequence, code, message, param, error };
  const failed = { ...response, status: "failed", error: { code, message } };
  const last = { type: "response.failed", sequence_number: sequence + 1, response: failed };
  return `event: error\ndata: ${JSON.stringify(told)}\n\nevent: response.failed\ndata: ${JSON.stringify(last)}\n\n`;
}

function errorOf({ httpStatus, message }: Problem, code: string) {
  return { message, type: errorType(httpStatus), param: null, code };
}

/** What the request is at fault for is `invalid_prompt` here, which agents do not ask again; any other word they do. */
function codeInResponse({ httpStatus, code }: Problem): string {
  const isRequests = httpStatus === 400 && code !== "context_length_exceeded";
  return isRequests ? "invalid_prompt" : code;
}

function errorType(httpStatus: number): string {
  switch (httpStatus) {
    case 401:
      return "authentication_error";
    case 402:
      return "insufficient_quota";
    case 403:
      return "permission_error";
    case 404:
      return "not_found_error";
    case 429:
      return "rate_limit_exceeded";
    default:
      return httpStatus >= 500 ? "server_error" : "invalid_request_error";
  }
}
