import type { Socket } from "node:net";
import { CODECS } from "../dialect/codecs.js";
import { Fault } from "../core/fault.js";
import { problemOf, REQUEST_ID_HEADER } from "./reply.js";

/**
 * Answers 426 at once and closes. Some agents try a WebSocket first and fall back to HTTP on exactly this
 * status; any other makes them wait or give up.
 */
export function refuseUpgrade(socket: Socket, requestId: string): void {
  const fault = new Fault(
    "upgrade_required",
    "WebSockets are not served here; send the request over plain HTTP.",
  );
  answer(socket, 426, "Upgrade Required", { fault, requestId });
}

const TEXTS: Readonly<Record<string, readonly [number, string, string]>> = {
  HPE_HEADER_OVERFLOW: [431, "Request Header Fields Too Large", "The request head is too large."],
  ERR_HTTP_REQUEST_TIMEOUT: [408, "Request Timeout", "The request took too long to arrive."],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: [413, "Payload Too Large", "The chunk extensions are too large."],
};

/** Answers what is no HTTP, or came too slowly, and closes: nothing that follows on the connection can be trusted. */
export function replyToBadRequest(
  socket: Socket,
  error: NodeJS.ErrnoException,
  requestId: string,
): void {
  if (error.code === "ECONNRESET" || !socket.writable || socket.bytesWritten > 0) {
    socket.destroy();
    return;
  }
  const [status, reason, message] = TEXTS[error.code ?? ""] ?? [
    400,
    "Bad Request",
    "The request is not well-formed HTTP.",
  ];
  answer(socket, status, reason, { fault: new Fault("malformed_request", message), requestId });
}

function answer(
  socket: Socket,
  status: number,
  reason: string,
  what: { fault: Fault; requestId: string },
): void {
  const body = CODECS.OPENAI.errorBody(problemOf(what.fault, what.requestId, status));
  socket.on("error", () => undefined);
  socket.end(
    [
      `HTTP/1.1 ${String(status)} ${reason}`,
      `${REQUEST_ID_HEADER}: ${what.requestId}`,
      "content-type: application/json",
      `content-length: ${String(Buffer.byteLength(body))}`,
      "connection: close",
      "",
      body,
    ].join("\r\n"),
    () => {
      socket.destroy();
    },
  );
}
