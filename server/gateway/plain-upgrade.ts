import { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";

/**
 * A request that offers another protocol and would be served as well in this one, as Java's client offers
 * HTTP/2 with every request in clear. The server takes its hands off such a connection, so the request is put
 * together again here; its connection ends with the answer. Undefined where the offer cannot be passed over:
 * a WebSocket has no answer over HTTP, and a body without a length no end.
 */
export function servePlain(
  offered: IncomingMessage,
  socket: Socket,
  first: Buffer,
): { readonly req: IncomingMessage; readonly res: ServerResponse } | undefined {
  const { headers } = offered;
  if (/websocket/i.test(headers.upgrade ?? "") || headers["transfer-encoding"] !== undefined) {
    return undefined;
  }
  const req = copyOf(offered, socket);
  const res = new ServerResponse(req);
  res.shouldKeepAlive = false;
  res.assignSocket(socket);
  socket.on("error", () => undefined);
  res.once("finish", () => {
    res.detachSocket(socket);
    socket.destroySoon();
  });
  readBody(req, socket, first, Number(headers["content-length"] ?? 0));
  return { req, res };
}

/** The connection's own message has ended with its head; this one can have a body. */
function copyOf(offered: IncomingMessage, socket: Socket): IncomingMessage {
  const req = new IncomingMessage(socket);
  req.httpVersion = offered.httpVersion;
  req.httpVersionMajor = offered.httpVersionMajor;
  req.httpVersionMinor = offered.httpVersionMinor;
  req.rawHeaders = offered.rawHeaders;
  if (offered.method !== undefined) req.method = offered.method;
  if (offered.url !== undefined) req.url = offered.url;
  return req;
}

function readBody(req: IncomingMessage, socket: Socket, first: Buffer, length: number): void {
  let left = Number.isSafeInteger(length) && length > 0 ? length : 0;
  const take = (chunk: Buffer): void => {
    if (req.complete) return;
    const part = chunk.subarray(0, left);
    left -= part.length;
    if (part.length > 0) req.push(part);
    if (left > 0) return;
    req.complete = true;
    req.push(null);
  };
  socket.on("data", take);
  take(first);
}
