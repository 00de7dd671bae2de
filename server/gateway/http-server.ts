import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerOptions,
  ServerResponse,
} from "node:http";
import { createServer as createTlsServer, type Server as TlsServer } from "node:https";
import type { Socket } from "node:net";
import type { IdSource } from "../core/ids.js";
import { type TlsFiles, TLS_VERSION_MIN } from "../core/tls.js";
import { plainIp } from "./caller-address.js";
import type { CallerConnections } from "./caller-connections.js";
import type { GatewayLimits } from "./limits.js";
import { servePlain } from "./plain-upgrade.js";
import { refuseUpgrade, replyToBadRequest } from "./raw-reply.js";

type OnRequest = (req: IncomingMessage, res: ServerResponse) => void;

export interface HttpServerOptions {
  readonly limits: GatewayLimits;
  /** Absent for plain HTTP. */
  readonly tls: TlsFiles | undefined;
  readonly ids: IdSource;
  readonly connections: CallerConnections;
  /** Called when requests can come on a connection: with TLS, after the handshake. */
  readonly onConnection: (socket: Socket) => void;
  readonly onRequest: OnRequest;
}

/** The HTTP server of the proxy port. */
export interface HttpServer {
  readonly server: Server;
  /** New connections get this pair from now on. Only for a server that was made with one. */
  setTls(files: TlsFiles): void;
}

/** Makes the HTTP server of the proxy port, with every bound that it knows; it does not listen yet. */
export function createHttpServer(options: HttpServerOptions): HttpServer {
  const { limits, tls, ids, connections, onConnection, onRequest } = options;
  const bounds: ServerOptions = {
    noDelay: true,
    keepAlive: true,
    keepAliveTimeout: limits.keepAliveMs,
    headersTimeout: limits.headTimeoutMs,
    requestTimeout: limits.requestTimeoutMs,
    connectionsCheckingInterval: limits.timeoutCheckMs,
    maxHeaderSize: limits.headerBytesMax,
    // Node would answer by itself and go on with what follows on the connection; ours is refused and closed.
    requireHostHeader: false,
  };
  const secure =
    tls === undefined ? undefined : createTlsServer({ ...bounds, ...tlsOptions(tls, limits) });
  const server: Server = secure ?? createServer(bounds);
  server.on("request", onRequest);
  // Otherwise lines beyond it vanish without a trace; ours are counted and refused.
  server.maxHeadersCount = 0;
  server.maxConnections = limits.callerSocketsMax;
  // Ends connections of callers that never read their answer.
  server.timeout = limits.callerIdleMs;
  server.on("connection", (socket) => {
    connections.take(socket, plainIp(socket.remoteAddress ?? ""));
  });
  server.on(secure === undefined ? "connection" : "secureConnection", onConnection);
  server.on("drop", (connection) => {
    connections.refuse("TOTAL", plainIp(connection?.remoteAddress ?? ""));
  });
  server.on("upgrade", (offered: IncomingMessage, socket: Socket, first: Buffer) => {
    if (isAnswering(offered, socket)) {
      // Whatever is written now would be taken for the answer that is due before it.
      socket.destroy();
      return;
    }
    const plain = servePlain(offered, socket, first);
    if (plain === undefined) refuseUpgrade(socket, ids.next("call"));
    else onRequest(plain.req, plain.res);
  });
  const isHandshake = secure === undefined ? () => false : handshakesOf(secure);
  server.on("clientError", (error: NodeJS.ErrnoException, socket: Socket) => {
    if (isHandshake(socket)) {
      connections.refuse("HANDSHAKE", plainIp(socket.remoteAddress ?? ""));
      socket.destroy();
    } else {
      replyToBadRequest(socket, error, ids.next("call"));
    }
  });
  return {
    server,
    setTls: (files) => secure?.setSecureContext(tlsOptions(files, limits)),
  };
}

/** An answer to an earlier request on the connection is still due: Node lets no second one be assigned. */
function isAnswering(offered: IncomingMessage, socket: Socket): boolean {
  const probe = new ServerResponse(offered);
  try {
    probe.assignSocket(socket);
  } catch {
    return true;
  }
  probe.detachSocket(socket);
  return false;
}

function tlsOptions(files: TlsFiles, limits: GatewayLimits) {
  return {
    cert: files.cert,
    key: files.key,
    minVersion: TLS_VERSION_MIN,
    ALPNProtocols: ["http/1.1"],
    handshakeTimeout: limits.headTimeoutMs,
  } as const;
}

/** Tells connections whose handshake is not done: on these nothing can be answered. */
function handshakesOf(server: TlsServer): (socket: Socket) => boolean {
  const secured = new WeakSet<Socket>();
  server.on("secureConnection", (socket: Socket) => secured.add(socket));
  return (socket) => !secured.has(socket);
}
