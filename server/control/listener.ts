import { chmodSync, existsSync, unlinkSync } from "node:fs";
import http from "node:http";
import http2 from "node:http2";
import net from "node:net";
import { Fault } from "../core/fault.js";
import { listenFault } from "../core/listen-fault.js";
import { type TlsFiles, TLS_VERSION_MIN } from "../core/tls.js";

/** Answers one request of either HTTP version. */
export type ControlHandler = (
  req: http.IncomingMessage | http2.Http2ServerRequest,
  res: http.ServerResponse | http2.Http2ServerResponse,
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
const HEADERS_TIMEOUT_MS = 10_000;
const PREFACE_TIMEOUT_MS = 10_000;
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
  handler: ControlHandler;
}): Promise<Listener> {
  const { host, port, tls, handler } = options;
  const serving = tls === undefined ? plain(handler) : secure(tls, handler);
  await listen(
    serving.server,
    { host, port },
    `the control port ${host}:${port}`,
    "choose another with --control-port",
  );
  const bound = serving.server.address();
  const actualPort = typeof bound === "object" && bound !== null ? bound.port : port;
  const shownHost = host.includes(":") ? `[${host}]` : host;
  return { ...serving, address: `${shownHost}:${actualPort}` };
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
  await removeStaleSocket(path);
  const serving = plain(handler);
  // The file is created with the process's umask: others must not be able to connect before its mode is set.
  const umask = process.umask(0o177);
  try {
    await listen(serving.server, { path }, `the local socket ${path}`, OWN_FOLDER);
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

function plain(handler: ControlHandler): Serving {
  const h1 = http.createServer({ headersTimeout: HEADERS_TIMEOUT_MS }, handler);
  const h2 = http2.createServer(
    { settings: { maxConcurrentStreams: STREAMS_PER_CONNECTION_MAX } },
    handler,
  );
  const sockets = new Set<net.Socket>();
  const sessions = trackSessions(h2);
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => socket.destroy());
    routeByPreface(socket, h1, h2);
  });
  return {
    server,
    close: (graceMs) => closeServer(server, { sockets, sessions, h1, graceMs }),
    setTls: () => undefined,
  };
}

function secure(tls: TlsFiles, handler: ControlHandler): Serving {
  const server = http2.createSecureServer(
    {
      ...tls,
      minVersion: TLS_VERSION_MIN,
      allowHTTP1: true,
      settings: { maxConcurrentStreams: STREAMS_PER_CONNECTION_MAX },
    },
    handler,
  );
  const sockets = new Set<net.Socket>();
  server.on("secureConnection", (socket: net.Socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  const sessions = trackSessions(server);
  return {
    server,
    close: (graceMs) => closeServer(server, { sockets, sessions, graceMs }),
    setTls: (files) => server.setSecureContext({ ...files, minVersion: TLS_VERSION_MIN }),
  };
}

/** Waits for the first bytes and hands the connection to the server of the protocol that they belong to. */
function routeByPreface(socket: net.Socket, h1: http.Server, h2: http2.Http2Server): void {
  let first = Buffer.alloc(0);
  const giveUp = (): void => void socket.destroy();
  const onReadable = (): void => {
    const chunk: Buffer | null = socket.read();
    if (chunk === null) return;
    first = Buffer.concat([first, chunk]);
    const head = first.subarray(0, HTTP2_PREFACE.length).toString("latin1");
    // A preface may arrive in pieces; no HTTP/1 request begins like it.
    if (head.length < HTTP2_PREFACE.length && HTTP2_PREFACE.startsWith(head)) return;
    socket.off("readable", onReadable);
    socket.off("timeout", giveUp);
    socket.setTimeout(0);
    socket.unshift(first);
    (head === HTTP2_PREFACE ? h2 : h1).emit("connection", socket);
  };
  socket.setTimeout(PREFACE_TIMEOUT_MS);
  socket.once("timeout", giveUp);
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
  clearTimeout(force);
}

async function listen(
  server: net.Server,
  where: net.ListenOptions,
  what: string,
  remedy: string,
): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) =>
      reject(listenFault(error, what, remedy)),
    );
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
