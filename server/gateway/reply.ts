import type { IncomingMessage, ServerResponse } from "node:http";
import type { Dialect } from "../core/provider.js";
import type { Fault } from "../core/fault.js";
import { CODECS } from "../dialect/codecs.js";
import type { Problem } from "../dialect/codec.js";
import { latin1 } from "../dialect/bytes.js";
import { EXACT_DETAIL, HTTP_STATUS } from "./fault-status.js";

/** The header on every answer that names the call. */
export const REQUEST_ID_HEADER = "x-request-id";

/** Seconds after which trying again makes sense where the fault does not say. */
const RETRY_AFTER_DEFAULT_SECONDS = 5;

/** Beyond this, copying costs more than a second buffer in the write. */
const ONE_PIECE_BYTES_MAX = 8 * 1024;

/** A fault as a caller is told. */
export function problemOf(fault: Fault, requestId: string, httpStatus?: number): Problem {
  return {
    httpStatus: httpStatus ?? HTTP_STATUS[fault.code],
    code: fault.code,
    message: fault.publicMessage,
    detail: EXACT_DETAIL[fault.code] ?? fault.publicMessage,
    requestId,
  };
}

export interface FaultReply {
  readonly fault: Fault;
  readonly dialect: Dialect;
  readonly requestId: string;
  /** Instead of the fault's own. */
  readonly httpStatus?: number;
  /** Names and values in turn. */
  readonly headers?: readonly string[];
  /** The connection cannot go on after this answer. */
  readonly close?: boolean;
  /** The request whose body is still on its way; it is read to its end, or to the limit, before the answer ends. */
  readonly unread?: { readonly req: IncomingMessage; readonly bytesMax: number };
}

/** Answers with a fault in the caller's dialect. Returns the bytes of the body. */
export function replyFault(res: ServerResponse, reply: FaultReply): number {
  const problem = problemOf(reply.fault, reply.requestId, reply.httpStatus);
  const headers = [
    REQUEST_ID_HEADER,
    reply.requestId,
    "content-type",
    "application/json",
    ...(reply.headers ?? []),
  ];
  if (reply.dialect === "ANTHROPIC") headers.push("request-id", reply.requestId);
  if (problem.httpStatus === 429 || problem.httpStatus === 503) {
    const seconds = reply.fault.retryAfterSeconds ?? RETRY_AFTER_DEFAULT_SECONDS;
    headers.push("retry-after", String(Math.max(1, Math.ceil(seconds))));
  }
  const body = CODECS[reply.dialect].errorBody(problem);
  if (reply.unread !== undefined) {
    headers.push("connection", "close", "content-length", String(Buffer.byteLength(body)));
    res.writeHead(problem.httpStatus, headers);
    res.write(body);
    endAfterBody(res, reply.unread);
    return Buffer.byteLength(body);
  }
  if (reply.close === true) headers.push("connection", "close");
  return replyWhole(res, problem.httpStatus, headers, body);
}

/**
 * Closing a connection on which bytes still arrive resets it, and the reset can overtake the answer. So the
 * rest is read and thrown away first; the server's request timeout bounds how long that may take.
 */
function endAfterBody(
  res: ServerResponse,
  unread: { readonly req: IncomingMessage; readonly bytesMax: number },
): void {
  let bytes = 0;
  const end = (): void => {
    res.end();
  };
  unread.req.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > unread.bytesMax) end();
  });
  unread.req.once("end", end);
  unread.req.once("error", end);
  unread.req.resume();
}

/** What a refusal must still read of a request, if anything. */
export function unreadBody(
  req: IncomingMessage,
  head: { readonly contentLength: number | undefined; readonly chunked: boolean },
  bytesMax: number,
): Pick<FaultReply, "unread"> {
  const expected = head.chunked || (head.contentLength ?? 0) > 0;
  return expected && !req.complete ? { unread: { req, bytesMax } } : {};
}

/** Answers with a whole body in one write. Returns its bytes. */
export function replyWhole(
  res: ServerResponse,
  httpStatus: number,
  headers: string[],
  body: Buffer | string,
): number {
  const bytes = typeof body === "string" ? Buffer.byteLength(body) : body.length;
  headers.push("content-length", String(bytes));
  res.writeHead(httpStatus, headers);
  // As text a short body leaves in one piece with the head; each byte is one character, both ways.
  if (typeof body !== "string" && bytes <= ONE_PIECE_BYTES_MAX) res.end(latin1(body), "latin1");
  else res.end(body);
  return bytes;
}

/** SDKs and agents knock here to see whether anyone is at home. */
export function answerRoot(req: IncomingMessage, res: ServerResponse, id: string): void {
  req.resume();
  const headers = [REQUEST_ID_HEADER, id, "content-type", "application/json"];
  replyWhole(res, 200, headers, '{"service":"latchkey"}');
}
