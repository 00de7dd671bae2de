import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Timer } from "../core/clock.js";
import { Fault, toFault } from "../core/fault.js";
import { listenFault } from "../core/listen-fault.js";
import type { IdSource } from "../core/ids.js";
import type { TlsFiles } from "../core/tls.js";
import { Roster } from "../upstream/roster.js";
import { authenticate } from "./admit.js";
import { queryBehind } from "./azure-scheme.js";
import { plainIp, TrustedProxies } from "./caller-address.js";
import { CallerConnections } from "./caller-connections.js";
import { type ContextParts, createContext, type GatewayContext } from "./context.js";
import type { Endpoint } from "./endpoints.js";
import { type Caller, Exchange, type ExchangeOptions } from "./exchange.js";
import { createHttpServer, type HttpServer } from "./http-server.js";
import { GATEWAY_LIMITS, type GatewayLimits } from "./limits.js";
import { dialectOf, type Match, matchEndpoint } from "./match.js";
import type { CallTraces } from "./ports.js";
import { getModel, listModels } from "./models.js";
import {
  answerRoot,
  type FaultReply,
  replyFault,
  replyWhole,
  REQUEST_ID_HEADER,
  unreadBody,
} from "./reply.js";
import { checkRequestLine, readHead, type RequestHead } from "./request-head.js";
import { scopedContexts } from "./scopes.js";

export interface GatewayOptions extends ContextParts {
  readonly ids: IdSource;
  /** What to speak TLS with; plain HTTP if absent. */
  readonly tls?: TlsFiles;
  /** Addresses and blocks of proxies whose `X-Forwarded-For` is believed; none if absent. */
  readonly trustedProxies?: readonly string[];
  /** What differs from the defaults. */
  readonly limits?: Partial<GatewayLimits>;
  /** Undefined when calls are not traced. */
  readonly traces?: CallTraces | undefined;
}

export interface ListenOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
}

/** The proxy port. */
export interface Gateway {
  /** Fails with Fault `port_in_use` or `config_invalid`. Answers the address taken. */
  listen(options: ListenOptions): Promise<{ host: string; port: number }>;
  /** Takes no more calls, lets running ones end within the drain time, then ends them in-band. */
  close(): Promise<void>;
  /** Ends every running call with this fault, in-band where the answer has begun. Returns how many. */
  cut(fault: Fault): number;
  /** Takes a renewed pair, where the port speaks TLS: new connections get it. */
  setTls(files: TlsFiles): void;
  /** Calls under way. */
  readonly running: number;
  /** Connections of callers, open and turned away. */
  readonly connections: Pick<CallerConnections, "open" | "refusals">;
  /** True once `close` was called. */
  readonly draining: boolean;
}

/** Makes the proxy port; nothing is opened before `listen`. */
export function createGateway(options: GatewayOptions): Gateway {
  return new HttpGateway(options);
}

/** After the drain, connections are looked at this often, so many times, for replies still on their way out. */
const FLUSH_ROUND_MS = 50;
const FLUSH_ROUNDS = 40;
const LOOPBACK = /^(?:127\.|::1$)/;

class HttpGateway implements Gateway {
  readonly #context: GatewayContext;
  readonly #contextOf: (endpoint: Endpoint) => GatewayContext;
  readonly #limits: GatewayLimits;
  readonly #ids: IdSource;
  readonly #traces: CallTraces | undefined;
  readonly #http: HttpServer;
  readonly #server: Server;
  readonly #proxies: TrustedProxies;
  readonly #callers = new WeakMap<Socket, Caller>();
  readonly #exchanges = new Roster<Exchange>();
  readonly #stopListening: () => void;
  #headTimer: Timer | undefined;
  #onIdle: (() => void) | undefined;
  #closing: Promise<void> | undefined;
  /** One for all exchanges, for it is needed with every one. */
  readonly #onOver = (exchange: Exchange): void => {
    const { exchanges, ip } = exchange.caller;
    if (exchange.ip !== ip) this.connections.leaveCall(exchange.ip);
    exchanges.splice(exchanges.indexOf(exchange), 1);
    this.#exchanges.delete(exchange);
    if (this.#exchanges.size === 0) this.#onIdle?.();
  };
  readonly connections: CallerConnections;
  draining = false;

  constructor(options: GatewayOptions) {
    this.#limits = { ...GATEWAY_LIMITS, ...options.limits };
    this.#ids = options.ids;
    this.#traces = options.traces;
    this.#context = createContext(options, this.#limits);
    this.#contextOf = scopedContexts(this.#context);
    this.#proxies = new TrustedProxies(options.trustedProxies ?? []);
    this.connections = new CallerConnections({
      perAddressMax: this.#limits.callerSocketsPerAddressMax,
      exempts: (ip) => LOOPBACK.test(ip) || this.#proxies.trusts(ip),
      clock: options.clock,
      logger: options.logger,
    });
    this.#http = createHttpServer({
      limits: this.#limits,
      tls: options.tls,
      ids: options.ids,
      connections: this.connections,
      onConnection: (socket) => {
        this.#onConnection(socket);
      },
      onRequest: (req, res) => {
        this.#onRequest(req, res);
      },
    });
    this.#server = this.#http.server;
    this.#stopListening = options.authenticator.onInvalidated((clientKeyId) => {
      this.#invalidate(clientKeyId);
    });
  }

  get running(): number {
    return this.#exchanges.size;
  }

  listen(options: ListenOptions): Promise<{ host: string; port: number }> {
    return new Promise((resolve, reject) => {
      const onError = (error: NodeJS.ErrnoException): void => {
        reject(
          listenFault(
            error,
            `the proxy port ${options.host}:${options.port}`,
            "choose another with --proxy-port",
          ),
        );
      };
      this.#server.once("error", onError);
      this.#server.listen({ host: options.host, port: options.port, backlog: 4096 }, () => {
        this.#server.off("error", onError);
        this.#server.on("error", (error) => {
          this.#context.logger.error({ err: error }, "proxy port failed");
        });
        const address = this.#server.address() as AddressInfo;
        resolve({ host: address.address, port: address.port });
      });
    });
  }

  setTls(files: TlsFiles): void {
    this.#http.setTls(files);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.draining = true;
    this.#stopListening();
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => {
        resolve();
      });
    });
    this.#server.closeIdleConnections();
    await this.#drained();
    this.#headTimer?.cancel();
    await this.#flushed(closed);
  }

  /** Lets replies that are written but not sent reach their callers, then closes what is left. */
  async #flushed(closed: Promise<void>): Promise<void> {
    let left = FLUSH_ROUNDS;
    let timer: Timer | undefined;
    const round = (): void => {
      this.#server.closeIdleConnections();
      if (left-- <= 0) this.#server.closeAllConnections();
      timer = this.#context.clock.setTimer(round, FLUSH_ROUND_MS);
    };
    round();
    await closed;
    timer?.cancel();
  }

  /** Waits for running exchanges; what is left after the drain time is ended in-band. */
  #drained(): Promise<void> {
    if (this.#exchanges.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = this.#context.clock.setTimer(() => {
        const fault = new Fault("shutting_down", "Latchkey is restarting; try again shortly.");
        this.#exchanges.each((exchange) => {
          exchange.stop(fault);
        });
        // One turn of the loop, so that the events just written leave.
        setImmediate(resolve);
      }, this.#limits.drainTimeoutMs);
      this.#onIdle = () => {
        timer.cancel();
        setImmediate(resolve);
      };
    });
  }

  #onConnection(socket: Socket): void {
    const caller = this.#newCaller(socket);
    this.#callers.set(socket, caller);
    // On the socket and not on each response: it also covers requests that wait behind another.
    socket.once("close", () => {
      for (const exchange of caller.exchanges.slice()) exchange.callerLeft();
    });
  }

  #onRequest(req: IncomingMessage, res: ServerResponse): void {
    const caller = this.#callerOf(req);
    if (caller.doomed) return;
    const id = this.#ids.next("call");
    const url = req.url ?? "/";
    const mark = url.indexOf("?");
    const path = mark < 0 ? url : url.slice(0, mark);
    const query = mark < 0 ? "" : queryBehind(path, url.slice(mark + 1));
    if (this.draining) res.setHeader("connection", "close");
    let head: RequestHead | undefined;
    try {
      checkRequestLine(req, url);
      head = readHead(req.rawHeaders, this.#limits.headerLinesMax, req.httpVersionMinor > 0);
      if (path === "/") {
        if (req.method === "HEAD" || req.method === "GET") answerRoot(req, res, id);
        else this.#refuseMethod(req, res, { id, path, head, allow: ["HEAD", "GET"] });
        return;
      }
      const match = matchEndpoint(req.method ?? "", path, head.hasAnthropicVersion);
      if ("allow" in match) {
        this.#refuseMethod(req, res, { id, path, head, allow: match.allow });
      } else if (match.endpoint.kind === "LOCAL") {
        this.#answerModels(req, res, { id, head, match, query });
      } else {
        this.#start({ id, req, res, caller, head, match, path, query });
      }
    } catch (thrown) {
      caller.doomed ||= head === undefined;
      this.#refuse(req, res, { id, path, head, thrown });
    }
  }

  #start(request: Omit<ExchangeOptions, "context" | "ip" | "onOver">): void {
    const { id, req, res, caller, head, match, path, query } = request;
    const ip = this.#addressOf(caller, head);
    // What the connection itself brings was counted with it.
    if (ip !== caller.ip) this.connections.enterCall(ip);
    const context = this.#contextOf(match.endpoint);
    const onOver = this.#overOf(id);
    const exchange = new Exchange({
      context,
      id,
      req,
      res,
      caller,
      ip,
      head,
      match,
      path,
      query,
      onOver,
    });
    caller.exchanges.push(exchange);
    this.#exchanges.add(exchange);
    if (this.#headTimer === undefined) this.#watchHeads();
    if (this.#traces !== undefined) {
      const { method, path: route } = match.endpoint;
      this.#traces.begun(id, { method, route, traceparent: head.traceparent });
    }
    exchange.run();
  }

  #overOf(id: string): (exchange: Exchange) => void {
    const traces = this.#traces;
    if (traces === undefined) return this.#onOver;
    return (exchange) => {
      traces.over(id);
      this.#onOver(exchange);
    };
  }

  #answerModels(
    req: IncomingMessage,
    res: ServerResponse,
    request: { id: string; head: RequestHead; match: Match; query: string },
  ): void {
    const { id, head, match, query } = request;
    const { dialect } = match.endpoint;
    const { authenticator, router } = this.#context;
    const ip = this.#addressOf(this.#callerOf(req), head);
    const principal = authenticate(authenticator, head, query, ip);
    const models = router.visibleModels(principal, dialect);
    const text =
      match.model === ""
        ? listModels(dialect, models, new URLSearchParams(query))
        : getModel(dialect, models, match.model);
    req.resume();
    replyWhole(res, 200, [REQUEST_ID_HEADER, id, "content-type", "application/json"], text);
  }

  #refuse(
    req: IncomingMessage,
    res: ServerResponse,
    request: { id: string; path: string; head: RequestHead | undefined; thrown: unknown },
  ): void {
    const fault = toFault(request.thrown);
    if (fault.code === "internal") {
      this.#context.logger.error({ call: request.id, err: fault.cause }, "request failed");
    }
    this.#context.sink.refused(fault.code);
    if (res.headersSent) {
      res.destroy();
      return;
    }
    replyFault(res, {
      fault,
      dialect: dialectOf(request.path, request.head?.hasAnthropicVersion === true),
      requestId: request.id,
      ...this.#rest(req, request.head),
    });
  }

  #refuseMethod(
    req: IncomingMessage,
    res: ServerResponse,
    request: { id: string; path: string; head: RequestHead; allow: readonly string[] },
  ): void {
    const allow = request.allow.join(", ");
    this.#context.sink.refused("unsupported_endpoint");
    replyFault(res, {
      fault: new Fault("unsupported_endpoint", `This endpoint takes ${allow} only.`),
      dialect: dialectOf(request.path, request.head.hasAnthropicVersion),
      requestId: request.id,
      httpStatus: 405,
      headers: ["allow", allow],
      ...this.#rest(req, request.head),
    });
  }

  /** What an answer must do with the rest of a request that is refused before its body was read. */
  #rest(req: IncomingMessage, head: RequestHead | undefined): Pick<FaultReply, "close" | "unread"> {
    if (head === undefined) return { close: true };
    return unreadBody(req, head, this.#limits.bodyBytesMax);
  }

  #callerOf(req: IncomingMessage): Caller {
    return this.#callers.get(req.socket) ?? this.#newCaller(req.socket);
  }

  #newCaller(socket: Socket): Caller {
    const ip = plainIp(socket.remoteAddress ?? "");
    return { ip, isProxy: this.#proxies.trusts(ip), exchanges: [], doomed: false };
  }

  /** Where a request comes from. */
  #addressOf(caller: Caller, head: RequestHead): string {
    return caller.isProxy ? this.#proxies.addressOf(caller.ip, head.forwardedFor) : caller.ip;
  }

  cut(fault: Fault): number {
    const running = this.#exchanges.size;
    this.#exchanges.each((exchange) => {
      exchange.stop(fault);
    });
    return running;
  }

  #invalidate(clientKeyId: string): void {
    const fault = new Fault(
      "revoked_api_key",
      "The client key was revoked or disabled during the call.",
    );
    this.#exchanges.each((exchange) => {
      if (exchange.clientKeyId === clientKeyId) exchange.stop(fault);
    });
  }

  /** Streams whose first event is late get their head sent, so that no caller takes the silence for a dead server. */
  #watchHeads(): void {
    let look = 0;
    const tick = (): void => {
      look++;
      this.#exchanges.each((exchange) => {
        // Seen before, so it has waited for at least one whole tick.
        if (exchange.seenAt > 0 && exchange.seenAt < look) exchange.releaseHead();
        else exchange.seenAt = look;
      });
      if (this.#exchanges.size === 0) this.#headTimer = undefined;
      else this.#headTimer = this.#context.clock.setTimer(tick, this.#limits.headHoldMs);
    };
    this.#headTimer = this.#context.clock.setTimer(tick, this.#limits.headHoldMs);
  }
}
