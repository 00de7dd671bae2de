import type { Socket } from "node:net";
import type {
  BadRequest,
  WholeAnswer,
  CallerConnection,
  CallerHandler,
} from "../caller/caller-connection.js";
import { CallerServer } from "../caller/caller-server.js";
import type { ParsedRequest } from "../caller/request-head.js";
import { pathOf } from "../caller/request-target.js";
import type { Turn } from "../caller/turn.js";
import type { Holder } from "../core/client-key.js";
import type { Timer } from "../core/clock.js";
import { Fault, toFault } from "../core/fault.js";
import { portFault } from "../core/listen-fault.js";
import type { IdSource } from "../core/ids.js";
import { plainIp } from "../core/ip.js";
import type { Dialect } from "../core/provider.js";
import type { TlsFiles } from "../core/tls.js";
import { authenticate } from "./admit.js";
import { queryBehind } from "./route/azure-scheme.js";
import { Browsers } from "./request/browsers.js";
import { CallHead } from "./call-head.js";
import { TrustedProxies } from "./request/caller-address.js";
import { CallerConnections } from "./caller-connections.js";
import { type ContextParts, createContext, type GatewayContext } from "./context.js";
import { refusalOf } from "./answer/bad-request.js";
import { Exchange } from "./exchange.js";
import type { ExchangeOptions } from "./exchange-options.js";
import { GATEWAY_LIMITS, type GatewayLimits } from "./limits.js";
import { dialectOf, type Match, matchEndpoint } from "./route/match.js";
import type { CallTraces } from "./ports.js";
import { ModelAnswers } from "./answer/models.js";
import { answerRoot, jsonHeaders, answerFault } from "./answer/own-answers.js";
import { readHead, type RequestHead, spokenIn } from "./request/request-head.js";
import { RunningCalls } from "./running-calls.js";

export interface GatewayOptions extends ContextParts {
  readonly ids: IdSource;
  /** What to speak TLS with; plain HTTP if absent. */
  readonly tls?: TlsFiles;
  /** Addresses and blocks of proxies whose `X-Forwarded-For` is believed; none if absent. */
  readonly trustedProxies?: readonly string[];
  /** Origins of pages that may call from browsers, or `*` for all; none if absent. */
  readonly corsOrigins?: readonly string[];
  /** What differs from the defaults. */
  readonly limits?: Partial<GatewayLimits>;
}

export interface ListenOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Called at the first connection. */
  readonly onFirstCaller?: () => void;
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
  /** How many of them count in limits, of those whose holder is meant. */
  admitted(isMeant: (holder: Holder) => boolean): number;
  /** Connections of callers, open and turned away. */
  readonly connections: Pick<CallerConnections, "open" | "refusals">;
  /** Bytes held now of bodies, and of streams. */
  readonly held: { readonly bodies: number; readonly streams: number };
  /** True once `close` was called. */
  readonly draining: boolean;
}

/** Makes the proxy port; nothing is opened before `listen`. */
export function createGateway(options: GatewayOptions): Gateway {
  return new HttpGateway(options);
}

/** At a stop connections are looked at this often for what is still on its way in or out. */
const FLUSH_ROUND_MS = 50;
/** So long they have at least, and callers to close a connection on which nothing leaves. */
const FLUSH_MS = 2_000;
const LOOPBACK = /^(?:127\.|::1$)/;

class HttpGateway implements Gateway, CallerHandler {
  readonly #context: GatewayContext;
  readonly #limits: GatewayLimits;
  readonly #ids: IdSource;
  readonly #traces: CallTraces | undefined;
  readonly #server: CallerServer;
  readonly #proxies: TrustedProxies;
  readonly #browsers: Browsers;
  readonly #calls: RunningCalls;
  readonly #models: ModelAnswers;
  readonly #stopListening: () => void;
  /** What answers those who wait until more models are known. */
  readonly #waiting = new Set<() => void>();
  #closing: Promise<void> | undefined;
  /** One for all exchanges, for it is needed with every one. */
  readonly #onOver = (exchange: Exchange): void => {
    if (exchange.ip !== exchange.connection.ip) this.connections.leaveCall(exchange.ip);
    this.#calls.delete(exchange);
  };
  readonly connections: CallerConnections;
  draining = false;

  constructor(options: GatewayOptions) {
    this.#limits = { ...GATEWAY_LIMITS, ...options.limits };
    this.#ids = options.ids;
    this.#traces = options.traces;
    this.#context = createContext(options, this.#limits);
    this.#calls = new RunningCalls({ clock: options.clock, limits: this.#limits });
    this.#models = new ModelAnswers(options.router);
    this.#proxies = new TrustedProxies(options.trustedProxies ?? []);
    this.#browsers = new Browsers(options.corsOrigins ?? []);
    this.connections = new CallerConnections({
      perAddressMax: this.#limits.callerSocketsPerAddressMax,
      exempts: (ip) => LOOPBACK.test(ip) || this.#proxies.trusts(ip),
      clock: options.clock,
      logger: options.logger,
    });
    this.#server = new CallerServer({
      limits: this.#limits,
      tls: options.tls,
      clock: options.clock,
      handler: this,
      gate: {
        admits: (socket) => this.connections.take(socket, ipOf(socket)),
        originOf: (socket) => {
          const ip = ipOf(socket);
          return { ip, isProxy: this.#proxies.trusts(ip) };
        },
        refused: (reason, address) => {
          this.connections.refuse(reason, plainIp(address));
        },
      },
    });
    this.#stopListening = options.authenticator.onInvalidated((clientKeyId) => {
      this.#calls.cutKey(clientKeyId);
    });
  }

  get held(): Gateway["held"] {
    const { bodyRoom, streamRoom } = this.#context;
    return { bodies: bodyRoom.taken, streams: streamRoom.bytes };
  }

  get running(): number {
    return this.#calls.size;
  }

  admitted(isMeant: (holder: Holder) => boolean): number {
    return this.#calls.admitted(isMeant);
  }

  async listen(options: ListenOptions): Promise<{ host: string; port: number }> {
    const { host, port, onFirstCaller } = options;
    try {
      const taken = await this.#server.listen({ host, port }, (error) => {
        this.#context.logger.error({ err: error }, "proxy port failed");
      });
      if (onFirstCaller !== undefined) this.#server.onFirstCaller(onFirstCaller);
      return { host: taken.address, port: taken.port };
    } catch (error) {
      throw portFault(error as NodeJS.ErrnoException, { name: "proxy", host, port });
    }
  }

  setTls(files: TlsFiles): void {
    this.#server.setTls(files);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.draining = true;
    for (const answer of this.#waiting) answer();
    this.#stopListening();
    const drainedByMs = this.#context.clock.monotonic() + this.#limits.drainTimeoutMs;
    const closed = this.#server.stop();
    // Where a call that ran has ended, its caller may send another one over the connection.
    do {
      await this.#lastRequests();
      await this.#calls.drain(drainedByMs);
    } while (this.#server.closeIdle());
    await this.#flushed(closed, drainedByMs);
    await this.#context.longTranslations.stop();
  }

  /** Waits until no connection can bring another request: those that are used get an answer that ends them. */
  #lastRequests(): Promise<void> {
    const { clock } = this.#context;
    return new Promise((resolve) => {
      const round = (): void => {
        if (this.#server.closeIdle()) clock.setTimer(round, FLUSH_ROUND_MS);
        else resolve();
      };
      round();
    });
  }

  /**
   * Lets replies that are written but not sent reach their callers, who may take what is left of the drain time,
   * and closes the rest.
   */
  async #flushed(closed: Promise<void>, drainedByMs: number): Promise<void> {
    const { clock } = this.#context;
    const flushedByMs = clock.monotonic() + FLUSH_MS;
    let timer: Timer | undefined;
    const round = (): void => {
      const nowMs = clock.monotonic();
      this.#server.closeIdle();
      if (nowMs >= flushedByMs) this.#server.closeRest({ leaving: nowMs >= drainedByMs });
      timer = clock.setTimer(round, FLUSH_ROUND_MS);
    };
    round();
    await closed;
    timer?.cancel();
  }

  refusal(problem: BadRequest, reason: string): WholeAnswer {
    return refusalOf(problem, reason, this.#ids.next("call"));
  }

  onTurn(connection: CallerConnection, turn: Turn, request: ParsedRequest): void {
    const id = this.#ids.next("call");
    const { meaning } = request;
    if (meaning instanceof CallHead) this.#takeAgain(connection, turn, id, meaning);
    else this.#take(connection, turn, id, request);
  }

  /** A call whose head the connection has brought before. */
  #takeAgain(connection: CallerConnection, turn: Turn, id: string, call: CallHead): void {
    const { path, spoken } = call;
    const ip = this.#addressOf(connection, call.head);
    try {
      call.page?.answers(turn);
      this.#start({ id, ip, connection, turn }, call);
    } catch (thrown) {
      this.#refuse(turn, { id, ip, path, spoken, thrown });
    }
  }

  #take(connection: CallerConnection, turn: Turn, id: string, request: ParsedRequest): void {
    const { method } = request;
    const target = pathOf(request.target);
    const mark = target.indexOf("?");
    const path = mark < 0 ? target : target.slice(0, mark);
    const query = mark < 0 ? "" : queryBehind(path, target.slice(mark + 1));
    let spoken: Dialect | undefined;
    let { ip } = connection;
    try {
      const page = this.#browsers.pageOf(request);
      if (page?.answers(turn) === true) return;
      const head = readHead(request, this.#limits.headerLinesMax);
      ip = this.#addressOf(connection, head);
      spoken = spokenIn(head, query);
      refuseWebSocket(turn, head);
      if (path === "/") {
        if (method === "HEAD" || method === "GET") answerRoot(turn, id);
        else this.#refuseMethod(turn, { id, ip, path, spoken, allow: ["HEAD", "GET"] });
        return;
      }
      const match = matchEndpoint(method, path, spoken);
      if ("allow" in match) {
        this.#refuseMethod(turn, { id, ip, path, spoken, allow: match.allow });
      } else if (match.endpoint.kind === "LOCAL") {
        this.#answerModels(turn, { id, ip, path, connection, head, match, query });
      } else {
        const call = new CallHead({ head, match, path, query, spoken, page });
        request.meaning = call;
        this.#start({ id, ip, connection, turn }, call);
      }
    } catch (thrown) {
      // What was not understood whole may hide another request behind it.
      if (spoken === undefined) turn.closeAfter();
      this.#refuse(turn, { id, ip, path, spoken, thrown });
    }
  }

  #start(
    { id, ip, connection, turn }: Pick<ExchangeOptions, "id" | "ip" | "connection" | "turn">,
    { head, match, path, query }: CallHead,
  ): void {
    // What the connection itself brings was counted with it.
    if (ip !== connection.ip) this.connections.enterCall(ip);
    const context = this.#context;
    const onOver = this.#overOf(id);
    const options = { context, id, ip, connection, turn, head, match, path, query, onOver };
    const exchange = new Exchange(options);
    turn.listener = exchange;
    this.#calls.add(exchange);
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

  /** Where a provider has to be asked first, the answer follows later. */
  #answerModels(
    turn: Turn,
    request: {
      id: string;
      ip: string;
      path: string;
      connection: CallerConnection;
      head: RequestHead;
      match: Match;
      query: string;
    },
  ): void {
    const { id, ip, connection, head, match, query } = request;
    const { authenticator, router } = this.#context;
    const principal = authenticate(authenticator, connection.lastKey, { head, query, ip });
    connection.holder = principal;
    const answer = (): void => {
      turn.whole(200, jsonHeaders(id), this.#models.answer(match, query, principal));
    };
    const due = router.refreshLists(principal);
    if (due === undefined) {
      answer();
      return;
    }
    const answerOnce = (): void => {
      if (!this.#waiting.delete(answerOnce)) return;
      try {
        answer();
      } catch (thrown) {
        this.#refuse(turn, { ...request, spoken: match.endpoint.dialect, thrown });
      }
    };
    this.#waiting.add(answerOnce);
    void due.then(answerOnce, answerOnce);
  }

  #refuse(
    turn: Turn,
    request: {
      id: string;
      ip: string;
      path: string;
      spoken: Dialect | undefined;
      thrown: unknown;
    },
  ): void {
    const fault = toFault(request.thrown);
    if (fault.code === "internal") {
      this.#context.logger.error({ call: request.id, err: fault.cause }, "request failed");
    }
    this.#context.sink.refused(fault.code);
    if (turn.begun) {
      turn.breakOff();
      return;
    }
    const dialect = dialectOf(request.path, request.spoken ?? "OPENAI");
    this.#tell(turn, request.ip, { fault, dialect, requestId: request.id });
  }

  /** Nobody knows whose request it is. */
  #tell(turn: Turn, ip: string, refusal: Parameters<typeof answerFault>[1]): void {
    this.#context.refusals.tell(ip, () => {
      answerFault(turn, refusal);
    });
  }

  #refuseMethod(
    turn: Turn,
    request: {
      id: string;
      ip: string;
      path: string;
      spoken: Dialect;
      allow: readonly string[];
    },
  ): void {
    const allow = request.allow.join(", ");
    this.#context.sink.refused("unsupported_endpoint");
    this.#tell(turn, request.ip, {
      fault: new Fault("unsupported_endpoint", `This endpoint takes ${allow} only.`),
      dialect: dialectOf(request.path, request.spoken),
      requestId: request.id,
      httpStatus: 405,
      headers: `allow: ${allow}\r\n`,
    });
  }

  /** Where a request comes from. */
  #addressOf(connection: CallerConnection, head: RequestHead): string {
    const { ip, isProxy } = connection;
    return isProxy ? this.#proxies.addressOf(ip, head.forwardedFor) : ip;
  }

  cut(fault: Fault): number {
    return this.#calls.cut(fault);
  }
}

/**
 * Answers 426 at once. Some agents try a WebSocket first and fall back to HTTP on exactly this status; any
 * other makes them wait or give up. Offers of HTTP/2 are passed over, as HTTP allows.
 */
function refuseWebSocket(turn: Turn, head: RequestHead): void {
  if (head.upgrade === "" || !/websocket/i.test(head.upgrade)) return;
  turn.closeAfter();
  throw new Fault(
    "upgrade_required",
    "WebSockets are not served here; send the request over plain HTTP.",
  );
}

function ipOf(socket: Socket): string {
  return plainIp(socket.remoteAddress ?? "");
}
