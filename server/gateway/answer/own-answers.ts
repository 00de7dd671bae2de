import type { WholeAnswer } from "../../caller/caller-connection.js";
import type { Turn } from "../../caller/turn.js";
import { saysOverload } from "../../core/call.js";
import type { Dialect } from "../../core/provider.js";
import type { Fault } from "../../core/fault.js";
import { CODECS } from "../../dialect/codecs.js";
import type { Problem } from "../../dialect/codec.js";
import { HeaderBlock } from "../../http/header-block.js";
import { EXACT_DETAIL, HTTP_STATUS } from "./fault-status.js";

/** The header line on every answer that names the call. */
export function requestIdLine(requestId: string): string {
  return `x-request-id: ${requestId}\r\n`;
}

/** Seconds after which trying again makes sense where the fault does not say. */
const RETRY_AFTER_DEFAULT_SECONDS = 5;

/** A fault as it is told to a caller. */
export function problemOf(fault: Fault, requestId: string, httpStatus?: number): Problem {
  return {
    httpStatus: httpStatus ?? HTTP_STATUS[fault.code],
    code: fault.code,
    message: fault.publicMessage,
    detail: EXACT_DETAIL[fault.code] ?? fault.publicMessage,
    requestId,
    field: fault.violations[0]?.field,
  };
}

/** What an answer that tells a fault is made of. */
export interface FaultAnswer {
  readonly fault: Fault;
  readonly dialect: Dialect;
  readonly requestId: string;
  /** In the place of the fault's own status. */
  readonly httpStatus?: number;
  /** Further header lines of our own making, each with its CR LF. */
  readonly headers?: string;
}

/** The whole answer that tells a fault, in the caller's dialect. */
export function faultAnswer(answer: FaultAnswer): WholeAnswer {
  const problem = problemOf(answer.fault, answer.requestId, answer.httpStatus);
  const { httpStatus } = problem;
  const headers = jsonHeaders(answer.requestId);
  headers.addOwn(answer.headers ?? "");
  headers.addOwn(answer.fault.headers);
  if (answer.dialect === "ANTHROPIC") headers.addOwn(`request-id: ${answer.requestId}\r\n`);
  if (asksForPatience(httpStatus)) headers.addOwn(retryAfterLine(answer.fault.retryAfterSeconds));
  return { httpStatus, headers, body: CODECS[answer.dialect].errorBody(problem) };
}

/** True for answers that say when to come back. */
export function asksForPatience(httpStatus: number): boolean {
  return httpStatus === 429 || saysOverload(httpStatus);
}

/** The header line that says when to come back, with its CR LF. */
export function retryAfterLine(seconds = RETRY_AFTER_DEFAULT_SECONDS): string {
  return `retry-after: ${String(Math.max(1, Math.ceil(seconds)))}\r\n`;
}

/** Answers with a fault in the caller's dialect. */
export function answerFault(turn: Turn, answer: FaultAnswer): void {
  const { httpStatus, headers, body } = faultAnswer(answer);
  turn.whole(httpStatus, headers, body);
}

/** The headers of a JSON answer of our own. */
export function jsonHeaders(requestId: string): HeaderBlock {
  return new HeaderBlock(`${requestIdLine(requestId)}content-type: application/json\r\n`);
}

/** Answers `/`, which SDKs and agents ask for to see whether the server is there. */
export function answerRoot(turn: Turn, id: string): void {
  turn.whole(200, jsonHeaders(id), '{"service":"latchkey"}');
}
