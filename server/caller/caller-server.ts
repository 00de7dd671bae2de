import {
  type AddressInfo,
  createServer,
  type DropArgument,
  type Server,
  type Socket,
} from "node:net";
import { createServer as createTlsServer, type Server as TlsServer } from "node:tls";
import type { Clock, Timer } from "../core/clock.js";
import { addressBlock } from "../core/ip.js";
import { PacedTurns } from "../core/paced-turns.js";
import { Roster } from "../core/roster.js";
import { type TlsFiles, TLS_VERSION_MIN } from "../core/tls.js";
import { TCP_KEEP_ALIVE_MS } from "../http/tcp-keep-alive.js";
import { flushMessages } from "../http/write-message.js";
import {
  CallerConnection,
  type CallerHandler,
  type ConnectionServer,
} from "./caller-connection.js";
import { firstToGo, type Stranger } from "./crowd.js";
import type { CallerLimits } from "./limits.js";
import { CommonLines } from "./answer-head.js";
import { KnownHeads } from "./known-head.js";
import { UnreadAnswers } from "./unread-answers.js";

/** Decides who may connect, and hears who was turned away. */
export interface CallerGate {
  /** Counts a connection that was just made; false when it was turned away. */
  admits(socket: Socket): boolean;
  /** Where a connection comes from, and whether that is a proxy whose word is taken. */
  originOf(socket: Socket): { readonly ip: string; readonly isProxy: boolean };
  /**
   * A connection was turned away: TOTAL, because there are too many and it was a stranger's, or HANDSHAKE, because it spoke no TLS where TLS is
   * spoken. Or it was closed: UNREAD, because its caller left too much unread.
   */
  refused(reason: "TOTAL" | "HANDSHAKE" | "UNREAD", remoteAddress: string): void;
}

export interface CallerServerOptions {
  readonly limits: CallerLimits;
  /** Absent for plain HTTP. */
  readonly tls: TlsFiles | undefined;
  readonly clock: Clock;
  readonly gate: CallerGate;
  readonly handler: CallerHandler;
}

/** Of so many connections one gives way at a time, for it takes a look at all of them. */
const GIVE_WAY_SHARE = 64;

/** A connection that has not agreed on TLS yet. */
interface Handshake extends Stranger {
  readonly socket: Socket;
  readonly sinceMs: number;
}

/** The HTTP/1.1 server of the proxy port, over TCP or TLS. */
export class CallerServer implements ConnectionServer {
  readonly limits: CallerLimits;
  readonly handler: CallerHandler;
  readonly common: CommonLines;
  readonly heads = new KnownHeads();
  readonly clock: Clock;
  readonly unread: UnreadAnswers;
  readonly #options: CallerServerOptions;
  readonly #server: Server;
  readonly #secure: TlsServer | undefined;
  readonly #connections = new Roster<CallerConnection>();
  /** By the address and port that they come from. */
  readonly #handshakes = new Map<string, Handshake>();
  /** Handshakes that have not begun. */
  readonly #turns: PacedTurns<Handshake>;
  /** Connections over TLS that began of late, and may be strangers' still. */
  #newcomers: CallerConnection[] = [];
  #serial = 0;
  #timer: Timer | undefined;
  /** Answers say that their connection ends with them. */
  draining = false;

  constructor(options: CallerServerOptions) {
    const { limits, tls, clock, gate, handler } = options;
    this.limits = limits;
    this.handler = handler;
    this.common = new CommonLines(clock, limits.keepAliveMs);
    this.clock = clock;
    this.unread = new UnreadAnswers(limits.unreadBytesMax);
    this.#options = options;
    const { handshakesPerSecond: perSecond, handshakesBurst: burst } = limits;
    this.#turns = new PacedTurns({
      clock,
      pace: { perSecond, burst },
      begin: ({ socket }) => {
        if (!socket.destroyed) this.#secure?.emit("connection", socket);
      },
      reclaim: () => this.#reclaim(),
    });
    if (tls !== undefined) {
      const handshakeTimeout = limits.headTimeoutMs;
      this.#secure = createTlsServer({ ...tlsOptions(tls), handshakeTimeout });
    }
    this.#server = createServer({
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: TCP_KEEP_ALIVE_MS,
      // A handshake waits for its turn.
      pauseOnConnect: tls !== undefined,
      // Without it Node would end our side first, and a connection that is being ended cannot be reset.
      allowHalfOpen: tls === undefined,
    });
    // Those that have given way are not closed yet.
    this.#server.maxConnections = limits.callerSocketsMax + this.#giveWayMax + 1;
    this.#server.on("connection", (socket: Socket) => {
      if (!gate.admits(socket) || !this.#hasRoomFor(socket)) return;
      if (this.#secure === undefined) this.#take(socket);
      else this.#expectTls(socket);
    });
    this.#server.on("drop", (dropped?: DropArgument) => {
      gate.refused("TOTAL", dropped?.remoteAddress ?? "");
    });
    this.#secure?.on("secureConnection", (socket) => {
      this.#handshakes.delete(comesFrom(socket));
      this.#newcomers.push(this.#take(socket));
      if (this.#newcomers.length > 2 * limits.handshakesBurst)
        this.#newcomers.splice(0, limits.handshakesBurst);
    });
    this.#secure?.on("tlsClientError", (_error, socket) => {
      gate.refused("HANDSHAKE", socket.remoteAddress ?? "");
      socket.destroy();
    });
  }

  /** Opens the port; rejects with the operating system's error. `onError` hears what goes wrong later. */
  listen(
    at: { readonly host: string; readonly port: number },
    onError: (error: Error) => void,
  ): Promise<AddressInfo> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen({ ...at, backlog: 4096 }, () => {
        this.#server.off("error", reject);
        this.#server.on("error", onError);
        resolve(this.#server.address() as AddressInfo);
      });
    });
  }

  /** Calls `listener` at the first connection from now on. */
  onFirstCaller(listener: () => void): void {
    this.#server.once("connection", listener);
  }

  /** New connections get this certificate and key from now on. Only for a server that was made with TLS. */
  setTls(files: TlsFiles): void {
    this.#secure?.setSecureContext(tlsOptions(files));
  }

  /** Takes no more connections; resolves when the last one is closed. */
  stop(): Promise<void> {
    this.draining = true;
    return new Promise((resolve) => {
      this.#server.close(() => {
        this.#timer?.cancel();
        resolve();
      });
    });
  }

  /**
   * Closes the connections that have been without a request for a while. True when it leaves others without one: what
   * their callers have just sent would be thrown away unanswered.
   */
  closeIdle(): boolean {
    const sinceMs = this.clock.monotonic() - this.limits.lastRequestMs;
    let left = false;
    // A message that waits for the end of the tick is not in its socket yet, which would look idle.
    flushMessages();
    this.#connections.each((connection) => {
      if (!connection.idle) return;
      if (connection.idleSinceMs <= sinceMs) connection.socket.destroy();
      else left = true;
    });
    return left;
  }

  /** Closes all connections on which nothing is on its way out, with `leaving` the others too. */
  closeRest({ leaving }: { readonly leaving: boolean }): void {
    this.#connections.each((connection) => {
      if (leaving || connection.socket.writableLength === 0) connection.breakOff();
    });
  }

  onGone(connection: CallerConnection): void {
    this.#connections.delete(connection);
  }

  onUnread(connection: CallerConnection): void {
    this.#options.gate.refused("UNREAD", connection.ip);
  }

  #take(socket: Socket): CallerConnection {
    const origin = this.#options.gate.originOf(socket);
    const serial = ++this.#serial;
    const connection = new CallerConnection(this, socket, { ...origin, serial });
    this.#connections.add(connection);
    if (this.#timer === undefined) this.#watch();
    return connection;
  }

  /** How many of the newcomers have shown a good key. */
  #reclaim(): number {
    const { length } = this.#newcomers;
    this.#newcomers = this.#newcomers.filter(({ isStranger }) => isStranger);
    return length - this.#newcomers.length;
  }

  #expectTls(socket: Socket): void {
    const from = comesFrom(socket);
    const { ip } = this.#options.gate.originOf(socket);
    const sinceMs = this.clock.monotonic();
    const handshake = { socket, ip, sinceMs, serial: ++this.#serial };
    this.#handshakes.set(from, handshake);
    socket.on("error", () => socket.destroy());
    const place = this.#turns.add(ip, ip, handshake);
    socket.once("close", () => {
      this.#turns.leave(place);
      if (this.#handshakes.get(from) === handshake) this.#handshakes.delete(from);
    });
    if (this.#timer === undefined) this.#watch();
  }

  get #giveWayMax(): number {
    return Math.ceil(this.limits.callerSocketsMax / GIVE_WAY_SHARE);
  }

  /** Where there are too many connections, strangers give way to a newcomer; without one, the newcomer is closed. */
  #hasRoomFor(newcomer: Socket): boolean {
    if (this.#connections.size + this.#handshakes.size < this.limits.callerSocketsMax) return true;
    const { gate } = this.#options;
    const strangers: (CallerConnection | Handshake)[] = [...this.#handshakes.values()];
    this.#connections.each((connection) => {
      if (connection.isStranger) strangers.push(connection);
    });
    const going = firstToGo(strangers, this.#giveWayMax, addressBlock);
    for (const each of going) {
      if ("place" in each) this.#connections.delete(each);
      else this.#handshakes.delete(comesFrom(each.socket));
      each.socket.destroy();
      gate.refused("TOTAL", each.ip);
    }
    if (going.length > 0) return true;
    newcomer.destroy();
    gate.refused("TOTAL", newcomer.remoteAddress ?? "");
    return false;
  }

  /** Ends what has waited too long on any connection; one timer for all of them. */
  #watch(): void {
    const { clock, limits } = this;
    this.#timer = clock.setTimer(() => {
      this.#timer = undefined;
      const nowMs = clock.monotonic();
      this.#connections.each((connection) => {
        connection.check(nowMs);
      });
      for (const { socket, sinceMs } of this.#handshakes.values()) {
        if (nowMs - sinceMs >= limits.headTimeoutMs) socket.destroy();
      }
      if (this.#connections.size + this.#handshakes.size > 0) this.#watch();
    }, limits.timeoutCheckMs);
  }
}

function comesFrom({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress ?? ""} ${String(remotePort)}`;
}

function tlsOptions(files: TlsFiles) {
  return {
    cert: files.cert,
    key: files.key,
    minVersion: TLS_VERSION_MIN,
    ALPNProtocols: ["http/1.1", "http/1.0"],
  } as const;
}
