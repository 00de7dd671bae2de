import type { BegunCall, CallEntry, CallRecord, Estimate } from "../../server/core/call.js";
import type { ClientKey, Principal } from "../../server/core/client-key.js";
import { type Clock, systemClock } from "../../server/core/clock.js";
import { Fault } from "../../server/core/fault.js";
import { IdSource } from "../../server/core/ids.js";
import { UNLIMITED } from "../../server/core/limits.js";
import type { Logger } from "../../server/core/logger.js";
import type { PresentedKey } from "../../server/core/presented-key.js";
import type { Dialect, Price, Provider, Route, RouteTarget } from "../../server/core/provider.js";
import { systemRandom } from "../../server/core/random.js";
import type { TlsFiles } from "../../server/core/tls.js";
import type { AbortedCalls } from "../../server/gateway/context.js";
import type { GatewayLimits } from "../../server/gateway/limits.js";
import type {
  Admission,
  Authenticator,
  Batches,
  CallSink,
  Limiter,
  ListedModel,
  Router,
  Ticket,
} from "../../server/gateway/ports.js";
import { createGateway, type Gateway } from "../../server/gateway/server.js";
import type { UpstreamLimits } from "../../server/upstream/limits.js";
import { Upstream } from "../../server/upstream/upstream.js";
import { type Resolve, UrlPolicy } from "../../server/upstream/url-policy.js";
import { type FakeClock, settle } from "../support/fake-clock.js";
import { Counter } from "../support/upstream-stub.js";
import { FakePool } from "./fake-pool.js";

export const CLIENT_KEY = "sk-lk_caller000000000000000000000000000000000000";

/** What a test sets up; all parts may be changed while it runs. */
export interface Setup {
  readonly providers?: readonly Partial<Provider>[];
  /** Secrets of the provider keys, in the order in which they are lent. */
  readonly secrets?: readonly string[];
  readonly clock?: Clock;
  readonly limits?: Partial<GatewayLimits>;
  readonly upstreamLimits?: Partial<UpstreamLimits>;
  readonly models?: readonly ListedModel[];
  readonly ticketHeaders?: string;
  /** Model asked → model sent. */
  readonly aliases?: Readonly<Record<string, string>>;
  readonly allowCidrs?: readonly string[];
  readonly admission?: Admission;
  readonly abortedCalls?: () => AbortedCalls;
  /** Where names lead. */
  readonly resolve?: Resolve;
  readonly trustedProxies?: readonly string[];
  readonly corsOrigins?: readonly string[];
  readonly tls?: TlsFiles;
  readonly batches?: Batches;
}

/** A gateway on a loopback port with its ports in memory. */
export class TestGateway {
  readonly gateway: Gateway;
  readonly upstream: Upstream;
  readonly authenticator = new FakeAuthenticator();
  readonly pool: FakePool;
  readonly sink = new FakeSink();
  readonly limiter: FakeLimiter;
  readonly log = new FakeLogger();
  readonly router: FakeRouter;
  origin = "";
  port = 0;
  /** How often the gateway told of its first caller. */
  firstCallers = 0;

  constructor(setup: Setup) {
    const clock = setup.clock ?? systemClock;
    const providers = (setup.providers ?? [{}]).map((each, at) => provider(each, at));
    this.router = new FakeRouter(providers, setup);
    this.pool = new FakePool(clock, setup.secrets ?? ["sk-upstream-0000000000000000000000"]);
    this.limiter = new FakeLimiter(setup.ticketHeaders ?? "");
    this.upstream = new Upstream({
      clock,
      policy: new UrlPolicy({
        allowCidrs: setup.allowCidrs ?? ["127.0.0.0/8"],
        ...(setup.resolve === undefined ? {} : { resolve: setup.resolve }),
      }),
      ...(setup.upstreamLimits === undefined ? {} : { limits: setup.upstreamLimits }),
    });
    this.gateway = createGateway({
      authenticator: this.authenticator,
      router: this.router,
      admission: setup.admission ?? { enter: () => undefined, leave: () => undefined },
      limiter: this.limiter,
      pool: this.pool,
      secrets: { open: (key) => this.pool.open(key) },
      sink: this.sink,
      upstream: this.upstream,
      clock,
      ids: new IdSource({ clock: systemClock, random: systemRandom }),
      logger: this.log,
      ...(setup.tls === undefined ? {} : { tls: setup.tls }),
      trustedProxies: setup.trustedProxies ?? [],
      corsOrigins: setup.corsOrigins ?? [],
      // Tests that stop a gateway need not wait for callers.
      limits: { lastRequestMs: 0, ...setup.limits },
      ...(setup.batches === undefined ? {} : { batches: setup.batches }),
      ...(setup.abortedCalls === undefined ? {} : { abortedCalls: setup.abortedCalls }),
    });
  }

  async listen(): Promise<this> {
    const { port } = await this.gateway.listen({
      host: "127.0.0.1",
      port: 0,
      onFirstCaller: () => this.firstCallers++,
    });
    this.port = port;
    this.origin = `http://127.0.0.1:${String(port)}`;
    return this;
  }

  async close(): Promise<void> {
    await this.gateway.close();
    this.upstream.close();
  }

  /** A request with the client key as a bearer. */
  fetch(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers(init.headers);
    if (!headers.has("authorization") && !headers.has("x-api-key")) {
      headers.set("authorization", `Bearer ${CLIENT_KEY}`);
    }
    return fetch(`${this.origin}${path}`, { ...init, headers });
  }

  /** A JSON POST. */
  post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
    return this.fetch(path, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: typeof body === "string" ? body : JSON.stringify(body),
    });
  }
}

export function startGateway(setup: Setup): Promise<TestGateway> {
  return new TestGateway(setup).listen();
}

/** One gateway for each dialect, whose one provider at `baseUrl` speaks it. */
export async function startDialects(
  baseUrl: string,
  setup: Omit<Setup, "providers"> = {},
): Promise<Readonly<Record<Dialect, TestGateway>>> {
  const start = (dialect: Dialect): Promise<TestGateway> =>
    startGateway({ ...setup, providers: [{ baseUrl, dialect }] });
  const [OPENAI, ANTHROPIC, GEMINI] = await Promise.all([
    start("OPENAI"),
    start("ANTHROPIC"),
    start("GEMINI"),
  ]);
  return { OPENAI, ANTHROPIC, GEMINI };
}

/** Lets simulated time pass until something has happened. */
export async function advanceUntil<T>(clock: FakeClock, happening: Promise<T>): Promise<T> {
  let over = false;
  const result = happening.finally(() => {
    over = true;
  });
  const isOver = (): boolean => over;
  while (!isOver()) {
    clock.advance(100);
    await settle();
  }
  return result;
}

export function provider(part: Partial<Provider>, at = 0): Provider {
  const dialect = part.dialect ?? "OPENAI";
  return {
    id: `prv_${String(at)}`,
    slug: `stub${String(at)}`,
    displayName: "Stub",
    baseUrl: "http://127.0.0.1:1",
    dialect,
    authStyle:
      dialect === "ANTHROPIC" ? "X_API_KEY" : dialect === "GEMINI" ? "X_GOOG_API_KEY" : "BEARER",
    description: "",
    custom: true,
    createdBy: null,
    enabled: true,
    modelPatterns: ["*"],
    createdAt: 0,
    updatedAt: 0,
    ...part,
  };
}

function clientKey(): ClientKey {
  return {
    id: "ck_caller",
    ownerId: "usr_owner",
    kind: "STANDARD",
    format: "SK",
    mac: "",
    pepperVersion: 1,
    previousMac: null,
    graceUntil: null,
    sealedCopy: null,
    prefix: "sk-lk-call",
    name: "caller",
    description: "",
    enabled: true,
    revokedAt: null,
    expiresAt: null,
    modelAllowlist: [],
    ipAllowlist: [],
    scopes: [],
    limits: UNLIMITED,
    createdAt: 0,
    updatedAt: 0,
    rotatedAt: null,
    lastUsedAt: null,
    lastUsedIp: null,
    newAddressAt: null,
    usageCount: 0,
    version: 1,
  };
}

export class FakeAuthenticator implements Authenticator {
  readonly presented: string[] = [];
  readonly ips: string[] = [];
  readonly #listeners = new Set<(clientKeyId: string) => void>();
  refusal: Fault | undefined;
  modelAllowlist: readonly string[] = [];
  clientKeyId = "ck_caller";
  ownerId = "usr_owner";
  kind: ClientKey["kind"] = "STANDARD";
  scopes: ClientKey["scopes"] = [];
  expiresAt: number | null = null;
  revision = 0;

  authenticate(presented: PresentedKey, ip: string): Principal {
    this.presented.push(presented.text);
    this.ips.push(ip);
    if (this.refusal !== undefined) throw this.refusal;
    if (presented.text !== CLIENT_KEY)
      throw new Fault("invalid_api_key", "The API key is not known.");
    return this.#principal();
  }

  renewed(): Principal | undefined {
    return this.refusal === undefined ? this.#principal() : undefined;
  }

  current(_principal: Principal, ip: string): Principal {
    this.ips.push(ip);
    if (this.refusal !== undefined) throw this.refusal;
    return this.#principal();
  }

  /** The key is from now on as it has been set here. */
  change(part: Partial<Pick<this, "refusal" | "modelAllowlist" | "scopes">>): void {
    Object.assign(this, part);
    this.revision++;
  }

  #principal(): Principal {
    const { clientKeyId: id, ownerId, kind, modelAllowlist, scopes, expiresAt } = this;
    const key = { ...clientKey(), id, ownerId, kind, modelAllowlist, scopes, expiresAt };
    return { clientKey: key, ownerId };
  }

  onInvalidated(listener: (clientKeyId: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  invalidate(clientKeyId = "ck_caller"): void {
    for (const listener of this.#listeners) listener(clientKeyId);
  }
}

const FREE: Price = {
  effectiveFrom: 0,
  input: 0,
  output: 0,
  cacheRead: null,
  cacheWrite: null,
  longContextFrom: null,
  longContextInput: null,
  longContextOutput: null,
  longContextCacheRead: null,
  longContextCacheWrite: null,
};

export class FakeRouter implements Router {
  providers: readonly Provider[];
  readonly #setup: Setup;
  /** Of all models; what it leaves out is free. */
  price: Partial<Price> | null = null;
  /** Of providers by their slugs. */
  readonly maxOutputs: Record<string, number> = {};
  /** Whether the catalogue lists all models. */
  listed = false;

  constructor(providers: readonly Provider[], setup: Setup) {
    this.providers = providers;
    this.#setup = setup;
  }

  resolve(model: string): Route {
    if (model === "no-such-model") {
      throw new Fault("model_not_found", 'No provider serves the model "no-such-model".');
    }
    const upstreamModel = this.#setup.aliases?.[model] ?? model;
    return {
      modelAsked: model,
      targets: this.providers.map((each) => ({
        provider: each,
        upstreamModel,
        price: this.price === null ? null : { ...FREE, ...this.price },
        maxOutput: this.maxOutputs[each.slug] ?? 1000,
        listed: this.listed,
      })),
    };
  }

  resolveAny(): Route {
    const { targets } = this.resolve("");
    return { modelAsked: "", targets: targets.map((each) => ({ ...each, upstreamModel: "" })) };
  }

  refreshLists: Router["refreshLists"] = () => undefined;

  visibleModels(): readonly ListedModel[] {
    return this.#setup.models ?? [];
  }

  findModel(id: string): ListedModel | undefined {
    return this.visibleModels().find((each) => each.id === id);
  }

  isServed(): boolean {
    return true;
  }
}

export class FakeLimiter implements Limiter {
  readonly #headers: string;
  refusal: Fault | undefined;
  open = 0;
  /** What was to be reserved, call by call. */
  readonly estimates: Estimate[] = [];
  readonly settled: { tokens: number; costMicros: number }[] = [];

  constructor(headers: string) {
    this.#headers = headers;
  }

  hasBudget(): boolean {
    return false;
  }
  admit(_principal: Principal, estimate: Estimate): Ticket {
    this.estimates.push(estimate);
    if (this.refusal !== undefined) throw this.refusal;
    this.open++;
    let done = false;
    return {
      headers: this.#headers,
      settle: (used) => {
        if (done) throw new Error("a ticket was settled twice");
        done = true;
        this.open--;
        this.settled.push(used);
      },
    };
  }
}

/** Keeps records, and wakes tests that wait for them. */
export class FakeSink implements CallSink {
  readonly begun: BegunCall[] = [];
  readonly records: CallRecord[] = [];
  readonly refusals: string[] = [];
  readonly #open = new Set<string>();
  readonly #finished = new Counter();
  failure: Fault | undefined;
  /** Of providers by their slugs, in micro-US-dollars a token. */
  readonly outputPrices: Record<string, number> = {};
  /** Set to have callers wait until a record is safe. */
  safe: Promise<void> | undefined;

  get inflight(): number {
    return this.#open.size;
  }

  write(entries: readonly CallEntry[]): Promise<void> | undefined {
    for (const entry of entries) {
      if (entry.kind === "BEGUN") this.#begin(entry.call);
      else this.#finish(entry.record);
    }
    if (this.failure !== undefined) throw this.failure;
    return this.safe;
  }

  count(): void {
    // Records count as they are written.
  }

  #begin(call: BegunCall): void {
    this.begun.push(call);
    this.#open.add(call.id);
  }

  #finish(record: CallRecord): void {
    this.#open.delete(record.id);
    if (this.records.some((each) => each.id === record.id)) {
      throw new Error("a call was recorded twice");
    }
    this.records.push(record);
    this.#finished.add();
  }

  cost(target: Partial<RouteTarget>, tokens: CallRecord["tokens"]): number {
    return tokens.input + tokens.output * (this.outputPrices[target.provider?.slug ?? ""] ?? 2);
  }

  refused(reason: string): void {
    this.refusals.push(reason);
  }

  /** Resolves with the last record once there are `count`. */
  async record(count = 1): Promise<CallRecord> {
    await this.#finished.reached(count);
    const record = this.records[count - 1];
    if (record === undefined) throw new Error("no record");
    return record;
  }
}

/** Keeps what is logged, so that tests can search it. */
export class FakeLogger implements Logger {
  readonly lines: { readonly level: string; readonly fields: unknown; readonly message: string }[] =
    [];

  debug(fields: object, message: string): void {
    this.lines.push({ level: "debug", fields, message });
  }

  info(fields: object, message: string): void {
    this.lines.push({ level: "info", fields, message });
  }

  warn(fields: object, message: string): void {
    this.lines.push({ level: "warn", fields, message });
  }

  error(fields: object, message: string): void {
    this.lines.push({ level: "error", fields, message });
  }
}
