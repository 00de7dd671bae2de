import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { IdSource } from "../core/ids.js";
import { plainIp } from "./caller-address.js";
import type { CallerConnections } from "./caller-connections.js";
import type { GatewayLimits } from "./limits.js";
import { servePlain } from "./plain-upgrade.js";
import { refuseUpgrade, replyToBadRequest } from "./raw-reply.js";

export interface HttpServerOptions {
  readonly limits: GatewayLimits;
  readonly ids: IdSource;
  readonly connections: CallerConnections;
  readonly onConnection: (socket: Socket) => void;
  readonly onRequest: (req: IncomingMessage, res: ServerResponse) => void;
}

/** The HTTP server of the proxy port, with every bound that it knows; it does not listen yet. */
export function createHttpServer(options: HttpServerOptions): Server {
  const { limits, ids, connections, onConnection, onRequest } = options;
  const server = createServer(
    {
      noDelay: true,
      keepAlive: true,
      keepAliveTimeout: limits.keepAliveMs,
      headersTimeout: limits.headTimeoutMs,
      requestTimeout: limits.requestTimeoutMs,
      connectionsCheckingInterval: limits.timeoutCheckMs,
      maxHeaderSize: limits.headerBytesMax,
    },
    onRequest,
  );
  // Otherwise lines beyond it vanish without a trace; ours are counted and refused.
  server.maxHeadersCount = 0;
  server.maxConnections = limits.callerSocketsMax;
  // Ends connections of callers that never read their answer.
  server.timeout = limits.callerIdleMs;
  server.on("connection", onConnection);
  server.on("drop", (connection) => {
    connections.refuse("TOTAL", plainIp(connection?.remoteAddress ?? ""));
  });
  server.on("upgrade", (offered: IncomingMessage, socket: Socket, first: Buffer) => {
    const plain = servePlain(offered, socket, first);
    if (plain === undefined) refuseUpgrade(socket, ids.next("call"));
    else onRequest(plain.req, plain.res);
  });
  server.on("clientError", (error: NodeJS.ErrnoException, socket: Socket) => {
    replyToBadRequest(socket, error, ids.next("call"));
  });
  return server;
}
