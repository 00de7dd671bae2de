import { chmodSync, existsSync, unlinkSync } from "node:fs";
import http from "node:http";
import http2 from "node:http2";
import net from "node:net";
import { createServer as createTlsServer } from "node:tls";
import type { Clock } from "../core/clock.js";
import { Fault } from "../core/fault.js";
import { checkSocketPath, hostPort, portFault, socketFault } from "../core/listen-fault.js";
import { type TlsFiles, TLS_VERSION_MIN } from "../core/tls.js";
import {
  type ConnectionLimits,
  type ControlConnection,
  ControlConnections,
} from "./connections.js";
import { FrameCost, RequestCost } from "./frame-cost.js";
import { MeteredStream } from "./metered-stream.js";

/** Answers one request of either HTTP version. */
export type ControlHandler = (
  req: http.IncomingMessage | http2.Http2ServerRequest,
  res: http.ServerResponse | http2.Http2ServerResponse,
) => void;

/** Answers one request that came over a connection of the control port. */
export type ConnectionHandler = (
  req: Parameters<ControlHandler>[0],
  res: Parameters<ControlHandler>[1],
  connection: ControlConnection,
) => void;

/** A listening port or socket. */
export interface Listener {
  /** `host:port` or `unix:path`. */
  readonly address: string;
  /** Takes a renewed pair, where it speaks TLS: new connections get it. */
  setTls(files: TlsFiles): void;
  /** Stops accepting, tells HTTP/2 peers to go away and waits for what runs, at most `graceMs`. */
  close(graceMs: number): Promise<void>;
}

const HTTP2_PREFACE = "PRI * HTTP/2";
const STREAMS_PER_CONNECTION_MAX = 100;
/** Of one request; of both versions of HTTP. */
const HEADER_BYTES_MAX = 16 * 1024;
/** HTTP/2 counts each line as 32 bytes longer, half of them here with its name. */
const HEADER_TEXT_EXTRA_BYTES = 16;
const HEADERS_TIMEOUT_MS = 10_000;
/** How often it is looked at what takes too long. */
const TIMES_INTERVAL_MS = 5_000;
const H1_TIMES = {
  headersTimeout: HEADERS_TIMEOUT_MS,
  connectionsCheckingInterval: TIMES_INTERVAL_MS,
};
/** From when a connection begins until it has said what it speaks, its TLS handshake included. */
const PREFACE_TIMEOUT_MS = 10_000;
/** A connection over which nothing is asked, and which has shown no good credential, is closed. */
const IDLE_TIMEOUT_MS = 60_000;
/** The remedy for a local socket that is taken: its place follows from the data folder. */
const OWN_FOLDER = "give this one a data folder of its own with --data";

/**
 * One port for gRPC (HTTP/2) and for Connect and gRPC-Web (either version). With TLS the client says
 * which it speaks; without, the first bytes of a connection tell.
 */
export async function listenTcp(options: {
  host: string;
  port: number;
  tls: TlsFiles | undefined;
  clock: Clock;
  /** As in `CONNECTION_LIMITS` where absent. */
  limits?: ConnectionLimits;
  handler: ConnectionHandler;
}): Promise<Listener> {
  const { host, port } = options;
  const serving = gated(options);
  await listen(serving.server, { host, port }, (error) =>
    portFault(error, { name: "control", host, port }),
  );
  const bound = serving.server.address();
  const actualPort = typeof bound === "object" && bound !== null ? bound.port : port;
  return { ...serving, address: hostPort(host, actualPort) };
}

/**
 * The local socket: whoever can open the file counts as the administrator of this host, so its mode is 0600. A file
 * left behind by a killed server is replaced; one that another server listens on is not.
 */
export async function listenUnix(options: {
  path: string;
  handler: ControlHandler;
}): Promise<Listener> {
  const { path, handler } = options;
  checkSocketPath(path);
  await removeStaleSocket(path);
  const serving = plain(handler);
  // The file is created with the process's umask: others must not be able to connect before its mode is set.
  const umask = process.umask(0o177);
  try {
    await listen(serving.server, { path }, (error) => socketFault(error, path));
  } finally {
    process.umask(umask);
  }
  chmodSync(path, 0o600);
  return { ...serving, address: `unix:${path}` };
}

interface Serving {
  readonly server: net.Server;
  readonly close: Listener["close"];
  readonly setTls: Listener["setTls"];
}

/** Whoever can open the local socket is trusted, so nothing is bounded there. */
function plain(handler: ControlHandler): Serving {
  const h1 = http.createServer(H1_TIMES, handler);
  watchTimes(h1);
  const h2 = http2.createServer(
    { settings: { maxConcurrentStreams: STREAMS_PER_CONNECTION_MAX } },
    handler,
  );
  const sockets = new Set<net.Socket>();
  const sessions = trackSessions(h2);
  const server = net.createServer((socket) => {
    keep(sockets, socket);
    socket.on("error", () => socket.destroy());
    routeByPreface(socket, (version, first) => {
      socket.unshift(first);
      (version === 2 ? h2 : h1).emit("connection", socket);
    });
  });
  return {
    server,
    close: (graceMs) => closeServer(server, { sockets, sessions, h1, graceMs }),
    setTls: () => undefined,
  };
}

/** Over TCP, with TLS or without: connections take turns, and what they send is weighed before it is acted on. */
function gated(options: {
  tls: TlsFiles | undefined;
  clock: Clock;
  limits?: ConnectionLimits;
  handler: ConnectionHandler;
}): Serving {
  const { tls, clock, limits, handler } = options;
  const connections = new ControlConnections(clock, limits);
  const ofHttp = new WeakMap<object, ControlConnection>();
  const sockets = new Set<net.Socket>();
  const h1 = http.createServer({ ...H1_TIMES, maxHeaderSize: HEADER_BYTES_MAX }, (req, res) => {
    const connection = ofHttp.get(req.socket);
    if (connection !== undefined) handler(req, res, connection);
  });
  watchTimes(h1);
  const h2 = http2.createServer(
    {
      settings: {
        maxConcurrentStreams: STREAMS_PER_CONNECTION_MAX,
        maxHeaderListSize: HEADER_BYTES_MAX,
      },
    },
    (req, res) => {
      if (headerBytes(req.rawHeaders) > HEADER_BYTES_MAX) {
        // As the protocol code refuses it once the other side has taken note of the bound.
        req.stream.close(http2.constants.NGHTTP2_ENHANCE_YOUR_CALM);
        return;
      }
      const { session } = req.stream;
      // It has gone meanwhile.
      const connection = session === undefined ? undefined : ofHttp.get(session);
      if (connection !== undefined) handler(req, res, connection);
    },
  );
  const sessions = trackSessions(h2);
  let beginning: ControlConnection | undefined;
  h2.on("session", (session: http2.ServerHttp2Session) => {
    // Told while the connection is handed over.
    if (beginning !== undefined) ofHttp.set(session, beginning);
    const connection = beginning;
    session.setTimeout(IDLE_TIMEOUT_MS, () => {
      if (connection?.userId === undefined) session.close();
    });
  });
  const serve = (socket: net.Socket, connection: ControlConnection): void => {
    routeByPreface(socket, (version, first) => {
      const cost = version === 2 ? new FrameCost() : new RequestCost();
      const stream = new MeteredStream(socket, cost, connection);
      connection.calm = () => stream.calm();
      ofHttp.set(stream, connection);
      beginning = connection;
      (version === 2 ? h2 : h1).emit("connection", stream);
      beginning = undefined;
      stream.begin(first);
    });
  };
  const secured = tls === undefined ? undefined : tlsFront(tls, serve);
  const server = net.createServer({ pauseOnConnect: true, noDelay: true }, (socket) => {
    keep(sockets, socket);
    connections.admit(socket, (connection) => {
      if (secured === undefined) serve(socket, connection);
      else secured.take(socket, connection);
    });
  });
  return {
    server,
    close: (graceMs) => closeServer(server, { sockets, sessions, h1, graceMs }),
    setTls: (files) => secured?.setTls(files),
  };
}

/** As HTTP/2 counts the header lines of a request; `lines` has names and values in turn. */
function headerBytes(lines: readonly string[]): number {
  let bytes = 0;
  for (const each of lines) bytes += each.length + HEADER_TEXT_EXTRA_BYTES;
  return bytes;
}

/** Speaks TLS with connections before they are served. */
function tlsFront(
  files: TlsFiles,
  serve: (socket: net.Socket, connection: ControlConnection) => void,
): {
  take(socket: net.Socket, connection: ControlConnection): void;
  setTls(files: TlsFiles): void;
} {
  const server = createTlsServer({
    ...files,
    minVersion: TLS_VERSION_MIN,
    ALPNProtocols: ["h2", "http/1.1"],
    handshakeTimeout: PREFACE_TIMEOUT_MS,
  });
  // A connection with TLS is told by where it comes from.
  const beginning = new Map<string, ControlConnection>();
  server.on("secureConnection", (socket) => {
    const from = originOf(socket);
    const connection = beginning.get(from);
    beginning.delete(from);
    socket.on("error", () => socket.destroy());
    if (connection === undefined) socket.destroy();
    else serve(socket, connection);
  });
  server.on("tlsClientError", (_error, socket) => {
    socket.destroy();
  });
  return {
    take(socket, connection) {
      const from = originOf(socket);
      beginning.set(from, connection);
      const late = setTimeout(() => {
        if (beginning.get(from) === connection) socket.destroy();
      }, PREFACE_TIMEOUT_MS);
      socket.once("close", () => {
        clearTimeout(late);
        if (beginning.get(from) === connection) beginning.delete(from);
      });
      server.emit("connection", socket);
    },
    setTls: (renewed) => server.setSecureContext({ ...renewed, minVersion: TLS_VERSION_MIN }),
  };
}

/** A server of HTTP/1.1 looks at its times, and knows which of its connections are idle, from when it listens. */
function watchTimes(h1: http.Server): void {
  h1.emit("listening");
}

function originOf({ remoteAddress, remotePort }: net.Socket): string {
  return `${remoteAddress ?? ""} ${String(remotePort)}`;
}

function keep(sockets: Set<net.Socket>, socket: net.Socket): void {
  sockets.add(socket);
  socket.once("close", () => sockets.delete(socket));
}

/** Waits for the first bytes of a connection and says which version of HTTP they belong to. */
function routeByPreface(socket: net.Socket, take: (version: 1 | 2, first: Buffer) => void): void {
  let first = Buffer.alloc(0);
  const giveUp = setTimeout(() => void socket.destroy(), PREFACE_TIMEOUT_MS);
  socket.once("close", () => clearTimeout(giveUp));
  const onReadable = (): void => {
    const chunk: Buffer | null = socket.read();
    if (chunk === null) return;
    first = Buffer.concat([first, chunk]);
    const head = first.subarray(0, HTTP2_PREFACE.length).toString("latin1");
    // A preface may arrive in pieces; no HTTP/1 request begins like it.
    if (head.length < HTTP2_PREFACE.length && HTTP2_PREFACE.startsWith(head)) return;
    socket.off("readable", onReadable);
    clearTimeout(giveUp);
    take(head === HTTP2_PREFACE ? 2 : 1, first);
  };
  socket.on("readable", onReadable);
}

function trackSessions(
  server: http2.Http2Server | http2.Http2SecureServer,
): Set<http2.Http2Session> {
  const sessions = new Set<http2.Http2Session>();
  server.on("session", (session: http2.Http2Session) => {
    sessions.add(session);
    session.on("close", () => sessions.delete(session));
  });
  return sessions;
}

async function closeServer(
  server: net.Server,
  open: {
    sockets: Set<net.Socket>;
    sessions: Set<http2.Http2Session>;
    h1?: http.Server;
    graceMs: number;
  },
): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  for (const session of open.sessions) session.close();
  open.h1?.closeIdleConnections();
  const force = setTimeout(() => {
    for (const socket of open.sockets) socket.destroy();
  }, open.graceMs);
  await closed;
  open.h1?.close();
  clearTimeout(force);
}

async function listen(
  server: net.Server,
  where: net.ListenOptions,
  toFault: (error: NodeJS.ErrnoException) => Fault,
): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => reject(toFault(error)));
    server.listen(where, resolve);
  });
}

async function removeStaleSocket(path: string): Promise<void> {
  if (!existsSync(path)) return;
  const alive = await new Promise<boolean>((resolve) => {
    const probe = net.connect(path);
    probe.once("connect", () => {
      probe.destroy();
      resolve(true);
    });
    probe.once("error", () => resolve(false));
  });
  if (alive) {
    throw new Fault(
      "port_in_use",
      `Another Latchkey server listens on ${path}. Stop it, or ${OWN_FOLDER}.`,
    );
  }
  unlinkSync(path);
}
