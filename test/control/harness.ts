import { mkdtempSync, rmSync } from "node:fs";
import { cp } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import type { TestContext } from "node:test";
import type { DescMethod, DescService } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import { AuditService } from "../../proto/gen/latchkey/v1/audit_pb.js";
import { CallService } from "../../proto/gen/latchkey/v1/calls_pb.js";
import { ClientKeyService } from "../../proto/gen/latchkey/v1/client_keys_pb.js";
import { PoolService } from "../../proto/gen/latchkey/v1/pool_pb.js";
import { ProviderKeyService } from "../../proto/gen/latchkey/v1/provider_keys_pb.js";
import { ProviderService } from "../../proto/gen/latchkey/v1/providers_pb.js";
import { SessionService } from "../../proto/gen/latchkey/v1/sessions_pb.js";
import { SystemService } from "../../proto/gen/latchkey/v1/system_pb.js";
import { UsageService } from "../../proto/gen/latchkey/v1/usage_pb.js";
import { UserService } from "../../proto/gen/latchkey/v1/users_pb.js";
import { AuditNews } from "../../server/app/audit-news.js";
import { clientKeyForms, sessionTokens } from "../../server/app/keys-vault.js";
import { Names } from "../../server/app/names.js";
import { Catalog } from "../../server/catalog/catalog.js";
import { auditService } from "../../server/control/audit.js";
import { callsService } from "../../server/control/calls.js";
import { CONNECTION_LIMITS, type ConnectionLimits } from "../../server/control/connections.js";
import { clientKeysService } from "../../server/control/client-keys.js";
import { MemoryIdempotencyStore } from "../../server/control/idempotency.js";
import { listenTcp, listenUnix } from "../../server/control/listener.js";
import { poolService, type PoolDeps } from "../../server/control/pool.js";
import type { ProviderKeyFacts } from "../../server/control/ports.js";
import { providerKeysService } from "../../server/control/provider-keys.js";
import { providersService } from "../../server/control/providers.js";
import { controlHandlers, served, type Served } from "../../server/control/router.js";
import { sessionsService } from "../../server/control/sessions.js";
import type { StrangerLimits } from "../../server/control/strangers.js";
import { systemService, type SystemDeps } from "../../server/control/system.js";
import { usageService } from "../../server/control/usage.js";
import { usersService } from "../../server/control/users.js";
import type { Actor } from "../../server/core/audit.js";
import { UNLIMITED } from "../../server/core/limits.js";
import type { ProviderKey } from "../../server/core/provider-key.js";
import { systemRandom } from "../../server/core/random.js";
import { Secret } from "../../server/core/secret.js";
import { ChangeFeed } from "../../server/keys/change-feed.js";
import type { HealthCheck } from "../../server/keys/ports.js";
import {
  createUseCases,
  NOBODY,
  type People,
  populate,
  TestLogger,
} from "../../server/keys/testing/world.js";
import type { LiveOverview } from "../../server/metering/live-overview.js";
import { LiveCalls } from "../../server/metering/live-calls.js";
import { EMPTY_POOL } from "../../server/metering/snapshot.js";
import { UsageReports } from "../../server/metering/usage.js";
import { DEFAULT_ALLOCATION } from "../../server/pool/allocation.js";
import { openStorage } from "../../server/storage/open.js";
import type { ProbeEvent, ProbeSubject } from "../../server/upstream/probe.js";
import { PasswordHasher } from "../../server/vault/password.js";
import { createFilePin } from "../../server/vault/public-key-pin.js";
import { createFileRootKeyProvider } from "../../server/vault/root-key/file.js";
import { loadSodium } from "../../server/vault/sodium.js";
import { createVault } from "../../server/vault/vault.js";
import { openChannel } from "../../tui/api/channel.js";
import { createApi, type Api } from "../../tui/api/services.js";
import { MemoryLedger } from "../metering/memory-ledger.js";
import { FakeClock } from "../support/fake-clock.js";
import { tempFolder } from "../storage/fixture.js";

/** What a probe tells in these tests; a failing one says that the secret is wrong. */
class ProbeScript {
  readonly subjects: ProbeSubject[] = [];
  fails = false;

  async *probe(subject: ProbeSubject): AsyncGenerator<ProbeEvent> {
    this.subjects.push(subject);
    const step = { name: "AUTH", durationMs: 3 } as const;
    yield { kind: "STEP", step: { ...step, state: "RUNNING", detail: "" } };
    const state = this.fails ? "FAILED" : "PASSED";
    yield { kind: "STEP", step: { ...step, state, detail: "seen" } };
    yield {
      kind: "RESULT",
      result: {
        ok: !this.fails,
        failure: this.fails ? "UNAUTHORIZED" : null,
        httpStatus: this.fails ? 401 : 200,
        upstreamRequestId: "req-1",
        bodyExcerpt: "",
        message: "told by the script",
        modelCount: 42,
        durationMs: 7,
        requestsRemaining: 59,
        tokensRemaining: null,
      },
    };
  }
}

/** A data folder as `populate` leaves it. Each test has a copy of its own, for to make it costs more than most tests. */
let populated: Promise<{ readonly folder: string; readonly people: People }> | undefined;

async function populatedFolder() {
  const folder = mkdtempSync(path.join(os.tmpdir(), "latchkey-control-"));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  const world = await openGround(folder);
  const people = await populate(world);
  await world.directory.stop();
  await world.storage.close();
  return { folder, people };
}

/** The use cases over the real database and the real vault, in a folder. */
async function openGround(folder: string) {
  const log = new TestLogger();
  const clock = new FakeClock();
  const random = systemRandom;
  const feed = new ChangeFeed({ log });
  const news = new AuditNews();
  const storage = await openStorage({
    refusesNested: true,
    dataFolder: folder,
    clock,
    logger: log,
    onCommit: (changes, events) => {
      feed.publish(changes);
      news.committed(events);
    },
    auditMac: () => null,
  });
  const file = path.join(folder, "root.key");
  const vault = await createVault({
    store: storage.keyring,
    rootKey: createFileRootKeyProvider({ sodium: await loadSodium(), random, path: file }),
    pin: createFilePin({ path: path.join(folder, "vault.pin") }),
    random,
    clock,
    logger: log,
  });
  await vault.start();
  const catalog = new Catalog({ clock, logger: log });
  const ground = {
    store: storage.keys,
    feed,
    vault,
    forms: clientKeyForms(random),
    passwords: new PasswordHasher({ random, cost: { ln: 4, r: 8, p: 1 } }),
    tokens: sessionTokens(random),
    clock,
    log,
    random,
    lookUp: (name: string) => catalog.lookUp(name),
  };
  return { ...ground, ...createUseCases(ground), folder, storage, news, catalog };
}

async function openWorld(t: TestContext) {
  const template = await (populated ??= populatedFolder());
  const folder = await tempFolder(t);
  await cp(template.folder, folder, { recursive: true });
  const world = await openGround(folder);
  const { storage, feed, catalog, clock } = world;
  t.after(() => storage.close());
  await world.settings.start();
  await world.directory.start();
  await world.identities.start();
  const names = new Names();
  const { read } = storage.keys;
  const [providers, models, users] = [read.providers, read.models, read.users];
  t.after(
    await feed.join(
      ["provider", "model", "user", "setting", "provider_key"],
      async () => {
        const content = { providers: await providers.all(), users: await users.all() };
        names.load({ ...content, keys: await read.providerKeys.all() });
        const settings = await read.settings.all();
        catalog.load({ ...content, models: await models.all(), settings });
      },
      (change) => {
        catalog.applyChange(change);
        names.applyChange(change);
      },
    ),
  );
  const keysInMemory = new Map<string, ProviderKey>();
  feed.subscribe(["provider_key"], ({ id, value }) => {
    if (value === null) keysInMemory.delete(id);
    else keysInMemory.set(id, value);
  });
  const liveCalls = new LiveCalls({ clock });
  return { ...world, ...template.people, names, keysInMemory, liveCalls };
}

type World = Awaited<ReturnType<typeof openWorld>>;

/** A control port with everything behind it but providers and calls. */
export async function startControl(
  t: TestContext,
  strangers: StrangerLimits = { perSecond: 1, burst: 10_000, waitingMax: 1, runningMax: 10_000 },
  connections: ConnectionLimits = CONNECTION_LIMITS,
) {
  const world = await openWorld(t);
  const ledger = new MemoryLedger();
  const probes = new ProbeScript();
  const checks: HealthCheck[] = [];
  const services = servicesOf(world, { ledger, probes, checks });
  const ready = { ready: true, reasons: [] as string[] };
  const readinessListeners = new Set<() => void>();
  const handlers = controlHandlers({
    clock: world.clock,
    services,
    identities: {
      localAdmin: () => world.identities.localAdmin(),
      bySession: (token, ip) => world.identities.bySession(token, ip),
      byClientKey: (presented, ip) => world.identities.byClientKey(presented, ip),
      endOf: (identity) => world.identities.endOf(identity),
      onChange: (listener) => {
        world.identities.onChange(listener);
      },
      byJwt: undefined,
    },
    audit: { denied: () => undefined },
    logger: world.log,
    readiness: () => ready,
    onReadinessChange(listener) {
      readinessListeners.add(listener);
      return () => readinessListeners.delete(listener);
    },
    metrics: async () => ({ contentType: "text/plain", body: "up 1\n" }),
    strangers,
  });
  const tcp = await listenTcp({
    host: "127.0.0.1",
    port: 0,
    tls: undefined,
    clock: world.clock,
    limits: connections,
    handler: handlers.tcp,
  });
  t.after(() => tcp.close(0));
  const socket = path.join(world.folder, "control.sock");
  const local = await listenUnix({ path: socket, handler: handlers.local });
  t.after(() => local.close(0));
  return {
    ...world,
    ledger,
    probes,
    /** Whether an RPC is there at all. */
    serves: (service: DescService, method: DescMethod): boolean =>
      services.some(
        (each) => each.service.typeName === service.typeName && each.methods.has(method.localName),
      ),
    ready,
    readinessChanged: () => readinessListeners.forEach((listener) => listener()),
    address: tcp.address,
    socket,
    /** A client over TCP with this token; nobody's without one. */
    api: (token?: string): Api => openApi(t, tcp.address, token),
    localApi: (token?: string): Api => openApi(t, local.address, token),
    /** A client with a new session of this user. */
    as: async (actor: Actor): Promise<Api> => openApi(t, tcp.address, await login(world, actor)),
    /** A new session of a user whom `populate` made. */
    login: (actor: Actor): Promise<string> => login(world, actor),
  };
}

async function login(world: World, actor: Actor): Promise<string> {
  const password = actor.name === "root" ? "correct horse" : `${actor.name} 1234`;
  const begun = await world.sessions.login(NOBODY, actor.name, new Secret(password));
  return begun.token.reveal();
}

export type Control = Awaited<ReturnType<typeof startControl>>;

function openApi(t: TestContext, address: string, token?: string): Api {
  const channel = openChannel({
    address,
    label: address,
    token,
    tls: false,
    caFile: undefined,
  });
  t.after(() => channel.close());
  return createApi(channel, () => token);
}

function servicesOf(
  world: World,
  fakes: { ledger: MemoryLedger; probes: ProbeScript; checks: HealthCheck[] },
): (Served & { readonly methods: ReadonlySet<string> })[] {
  const { storage, clock, names, directory, vault, liveCalls } = world;
  const { ledger, probes } = fakes;
  const reader = storage.keys.read;
  const lookup = {
    usernameOf: (id: string) => names.usernameOf(id),
    providerSlugOf: (id: string) => names.providerSlugOf(id),
    providerKeyNameOf: (id: string) => names.providerKeyNameOf(id),
    clientKeyNameOf: (id: string) => directory.nameOf(id),
  };
  const facts: ProviderKeyFacts = {
    eligibilityOf: (key) => (key.enabled ? "ELIGIBLE" : "DISABLED"),
    figuresOf: () => ({}),
  };
  const usage = new UsageReports({ ledger, clock });
  const common = {
    ...world,
    idempotency: new MemoryIdempotencyStore({ clock }),
    names: lookup,
    noticeDays: () => world.settings.values,
    ledger,
    nodeId: "node-1",
    figures: { reader, usage },
  };
  return [
    named(
      SessionService,
      sessionsService({
        ...common,
        sessionReader: reader.sessions,
        secureCookies: false,
        onLogout: (userId) => common.identities.announce(userId),
      }),
    ),
    named(UserService, usersService(common)),
    named(
      ProviderService,
      providersService({
        ...common,
        rewritesOf: (model) => world.catalog.rewritesOf(model),
        counts: { models: reader.models, keys: () => world.keysInMemory.values(), facts },
      }),
    ),
    named(
      ProviderKeyService,
      providerKeysService({
        ...common,
        healthChecks: reader.healthChecks,
        facts,
        usage,
        testing: { ...world, reader, vault, probe: (subject) => probes.probe(subject) },
        diagnosis: {
          reader,
          vault,
          baseUrls: { check: async () => undefined },
          ledger,
          facts,
          inService: () => true,
        },
        checkHealth: async (key) => {
          const check: HealthCheck = {
            providerKeyId: key.id,
            at: clock.now(),
            ok: true,
            latencyMs: 12,
            httpStatus: 200,
            error: "",
          };
          await storage.keys.write((tx) => tx.healthChecks.append(check));
          return check;
        },
      }),
    ),
    named(
      ClientKeyService,
      clientKeysService({
        ...common,
        statistics: { usage, providerKeyReader: reader.providerKeys },
      }),
    ),
    named(CallService, callsService({ ...common, liveCalls })),
    named(PoolService, poolService({ ...common, ...emptyPool() })),
    named(
      UsageService,
      usageService({
        ...common,
        usage,
        records: reader,
        overview: noOverview(),
        queue: () => ({ waiting: 0, waitingMax: 0 }),
        ownerOverview: () => Promise.resolve(noOverview()),
        limitsOf: () => UNLIMITED,
        ownsKey: () => false,
        vaultLocked: () => false,
      }),
    ),
    named(SystemService, systemService({ ...common, ...quietSystem(world) })),
    named(
      AuditService,
      auditService({ ...common, reader: reader.audit, chain: storage.auditTrail }),
    ),
  ];
}

/** A service, and which of its RPCs there are. */
function named<S extends DescService>(service: S, implementation: Partial<ServiceImpl<S>>) {
  return { ...served(service, implementation), methods: new Set(Object.keys(implementation)) };
}

/** A pool without keys, in which a model resolves to nothing. */
function emptyPool(): Pick<
  PoolDeps,
  "summary" | "ownSummary" | "allocation" | "explain" | "codeWithoutKey" | "resolve" | "ownTargets"
> {
  return {
    summary: () => EMPTY_POOL,
    ownSummary: () => EMPTY_POOL,
    allocation: () => DEFAULT_ALLOCATION,
    explain: () => [],
    codeWithoutKey: () => "no_own_token",
    ownTargets: () => 0,
    resolve: (modelAsked) => ({ modelAsked, targets: [] }),
  };
}

/** An overview that ends at once. */
function noOverview(): LiveOverview {
  const silent = {
    async *subscribe() {
      // Nothing happens on this server.
    },
  };
  return silent as unknown as LiveOverview;
}

function quietSystem({ clock, vault, folder }: World): Omit<SystemDeps, "clock" | "nodeId"> {
  return {
    version: "0.0.0-test",
    dataFolder: folder,
    startedAtMs: clock.now(),
    vaultStatus: () => vault.status(),
    unlock: async () => undefined,
    lock: async () => undefined,
    facts: async () => ({}),
  };
}
