import type { WholeAnswer } from "../caller/caller-connection.js";
import type { Turn } from "../caller/turn.js";
import type { Dialect } from "../core/provider.js";
import type { Fault } from "../core/fault.js";
import { CODECS } from "../dialect/codecs.js";
import type { Problem } from "../dialect/codec.js";
import { HeaderBlock } from "../http/header-block.js";
import { EXACT_DETAIL, HTTP_STATUS } from "./fault-status.js";

/** The header line on every answer that names the call. */
export function requestIdLine(requestId: string): string {
  return `x-request-id: ${requestId}\r\n`;
}

/** Seconds after which trying again makes sense where the fault does not say. */
const RETRY_AFTER_DEFAULT_SECONDS = 5;

/** A fault as a caller is told. */
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

export interface FaultReply {
  readonly fault: Fault;
  readonly dialect: Dialect;
  readonly requestId: string;
  /** Instead of the fault's own. */
  readonly httpStatus?: number;
  /** Lines of our own making, each with its CR LF. */
  readonly headers?: string;
}

/** A fault as it goes out, in the caller's dialect. */
export function faultAnswer(reply: FaultReply): WholeAnswer {
  const problem = problemOf(reply.fault, reply.requestId, reply.httpStatus);
  const { httpStatus } = problem;
  const headers = jsonHeaders(reply.requestId);
  headers.addOwn(reply.headers ?? "");
  headers.addOwn(reply.fault.headers);
  if (reply.dialect === "ANTHROPIC") headers.addOwn(`request-id: ${reply.requestId}\r\n`);
  if (asksForPatience(httpStatus)) headers.addOwn(retryAfterLine(reply.fault.retryAfterSeconds));
  return { httpStatus, headers, body: CODECS[reply.dialect].errorBody(problem) };
}

/** True for answers that say when to come back. */
export function asksForPatience(httpStatus: number): boolean {
  return httpStatus === 429 || httpStatus === 503;
}

/** When to come back, with its CR LF. */
export function retryAfterLine(seconds = RETRY_AFTER_DEFAULT_SECONDS): string {
  return `retry-after: ${String(Math.max(1, Math.ceil(seconds)))}\r\n`;
}

/** Answers with a fault in the caller's dialect. */
export function replyFault(turn: Turn, reply: FaultReply): void {
  const { httpStatus, headers, body } = faultAnswer(reply);
  turn.whole(httpStatus, headers, body);
}

/** What heads of our own JSON answers say. */
export function jsonHeaders(requestId: string): HeaderBlock {
  return new HeaderBlock(`${requestIdLine(requestId)}content-type: application/json\r\n`);
}

/** SDKs and agents knock here to see whether anyone is at home. */
export function answerRoot(turn: Turn, id: string): void {
  turn.whole(200, jsonHeaders(id), '{"service":"latchkey"}');
}
