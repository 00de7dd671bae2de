import { readFileSync } from "node:fs";
import path from "node:path";
import { AuditService } from "../../proto/gen/latchkey/v1/audit_pb.js";
import { CallService } from "../../proto/gen/latchkey/v1/calls_pb.js";
import { ClientKeyService } from "../../proto/gen/latchkey/v1/client_keys_pb.js";
import { ProviderKeyService } from "../../proto/gen/latchkey/v1/provider_keys_pb.js";
import { ProviderService } from "../../proto/gen/latchkey/v1/providers_pb.js";
import { SessionService } from "../../proto/gen/latchkey/v1/sessions_pb.js";
import { SystemService } from "../../proto/gen/latchkey/v1/system_pb.js";
import { UsageService } from "../../proto/gen/latchkey/v1/usage_pb.js";
import { UserService } from "../../proto/gen/latchkey/v1/users_pb.js";
import { auditService } from "../control/audit.js";
import { callsService } from "../control/calls.js";
import { clientKeysService } from "../control/client-keys.js";
import { MemoryIdempotencyStore } from "../control/idempotency.js";
import { listenTcp, listenUnix, type Listener, type TlsFiles } from "../control/listener.js";
import type { NameLookup } from "../control/names.js";
import { providerKeysService } from "../control/provider-keys.js";
import { providersService } from "../control/providers.js";
import { controlHandlers, served, type Served } from "../control/router.js";
import { sessionsService } from "../control/sessions.js";
import { systemService } from "../control/system.js";
import { usageService } from "../control/usage.js";
import { usersService } from "../control/users.js";
import { Fault } from "../core/fault.js";
import { UsageReports } from "../metering/usage.js";
import type { UrlPolicy } from "../upstream/url-policy.js";
import type { Foundation } from "./foundation.js";
import { providerKeyFacts } from "./facts.js";
import type { KeyChecks } from "./key-checks.js";
import type { Observation } from "./observation.js";
import type { Serving } from "./serving.js";
import { systemDeps } from "./system-deps.js";
import type { UseCases } from "./use-cases.js";

/** How long running RPCs may take to end at a stop; streams are told to go away. */
const CLOSE_GRACE_MS = 2_000;
const LOOPBACK = /^(127\.|::1$|localhost$)/;

export interface ControlPort {
  readonly tcp: Listener;
  readonly local: Listener;
}

/** Everything that the control port is made of. */
export interface ControlParts {
  readonly foundation: Foundation;
  readonly useCases: UseCases;
  readonly serving: Serving;
  readonly observation: Observation;
  readonly keyChecks: KeyChecks;
  readonly policy: UrlPolicy;
  /** Known only once the proxy port listens. */
  readonly proxyAddress: string;
}

/** Opens the control port and the local socket. Throws Fault `port_in_use` or `config_invalid`. */
export async function openControlPort(parts: ControlParts): Promise<ControlPort> {
  const { foundation, useCases, observation } = parts;
  const { config, logger, lifecycle } = foundation;
  const tls = tlsFiles(config);
  if (tls === undefined && !LOOPBACK.test(config.controlHost) && !config.insecureControl) {
    throw new Fault(
      "config_invalid",
      `The control API would be open on ${config.controlHost} without TLS. Give --tls-cert and --tls-key, or --insecure-control behind a proxy that adds TLS.`,
    );
  }
  const handlers = controlHandlers({
    services: services(parts),
    identities: { localAdmin: () => useCases.identities.localAdmin(), ...identities(useCases) },
    audit: {
      denied: (actor, rpc, reason) => logger.info({ ip: actor.ip, rpc, reason }, "rpc refused"),
    },
    logger,
    readiness: () => observation.readiness.read(),
    onReadinessChange: (listener) => observation.readiness.onChange(listener),
    metrics: observation.metrics,
  });
  const { controlHost: host, controlPort: port } = config;
  const tcp = await listenTcp({ host, port, tls, handler: handlers.tcp });
  lifecycle.started("control port", () => tcp.close(CLOSE_GRACE_MS));
  const socket = path.join(config.data, "control.sock");
  const local = await listenUnix({ path: socket, handler: handlers.local });
  lifecycle.started("local socket", () => local.close(CLOSE_GRACE_MS));
  return { tcp, local };
}

function identities(useCases: UseCases) {
  const { identities } = useCases;
  return {
    bySession: (token: string, ip: string) => identities.bySession(token, ip),
    byClientKey: (presented: string, ip: string) => identities.byClientKey(presented, ip),
    byJwt: undefined,
  };
}

function services(parts: ControlParts): readonly Served[] {
  const { foundation, useCases, serving } = parts;
  const { storage, clock, vault, config } = foundation;
  const names = namesOf(useCases);
  const idempotency = new MemoryIdempotencyStore({ clock });
  const noticeDays = () => {
    const { rotationDueDays, expiryNoticeDays } = useCases.settings.values;
    return { rotationDueDays, expiryNoticeDays };
  };
  const nodeId = "node-1";
  const { ledger, accounting } = serving;
  const usage = new UsageReports({ ledger, clock });
  const facts = providerKeyFacts(serving.pool);
  const common = { idempotency, names, clock, noticeDays, ledger, nodeId };
  return [
    served(
      SessionService,
      sessionsService({
        ...common,
        sessions: useCases.sessions,
        users: useCases.users,
        sessionReader: storage.keys.read.sessions,
        secureCookies: config.tlsCert !== "",
      }),
    ),
    served(UserService, usersService({ ...common, users: useCases.users })),
    served(
      ProviderService,
      providersService({ ...common, providers: useCases.providers, models: useCases.models }),
    ),
    served(
      ProviderKeyService,
      providerKeysService({ ...common, ...providerKeyParts(parts), usage, facts }),
    ),
    served(
      ClientKeyService,
      clientKeysService({
        ...useCases,
        ...common,
        statistics: { usage, providerKeyReader: storage.keys.read.providerKeys },
      }),
    ),
    served(CallService, callsService({ ...common, liveCalls: accounting.liveCalls })),
    served(
      UsageService,
      usageService({
        ...common,
        overview: accounting.overview,
        vaultLocked: () => vault.state !== "UNLOCKED",
      }),
    ),
    served(
      AuditService,
      auditService({
        ...common,
        auditLog: useCases.auditLog,
        reader: storage.keys.read.audit,
        chain: storage.auditTrail,
        news: foundation.auditNews,
      }),
    ),
    served(SystemService, systemService(systemDeps(parts, nodeId))),
  ];
}

/** What the provider key service needs besides what all services share. */
function providerKeyParts({ foundation, useCases, serving, keyChecks, policy }: ControlParts) {
  const { storage, vault } = foundation;
  const reader = storage.keys.read;
  const { providerKeys, providerKeyImport, providers, auditLog } = useCases;
  return {
    providerKeys,
    providerKeyImport,
    healthChecks: reader.healthChecks,
    checkHealth: keyChecks.checkHealth,
    testing: { providers, reader, vault, auditLog, probe: keyChecks.probe },
    diagnosis: {
      reader,
      vault,
      baseUrls: { check: async (baseUrl: string) => void policy.check(baseUrl) },
      ledger: serving.ledger,
      facts: providerKeyFacts(serving.pool),
      inService: (providerId: string, service: string, model: string) =>
        serving.catalog.inService(providerId, service, model),
    },
  };
}

function namesOf(useCases: UseCases): NameLookup {
  const { names, directory } = useCases;
  return {
    usernameOf: (id) => names.usernameOf(id),
    providerSlugOf: (id) => names.providerSlugOf(id),
    providerKeyNameOf: (id) => names.providerKeyNameOf(id),
    clientKeyNameOf: (id) => directory.nameOf(id),
  };
}

function tlsFiles(config: { tlsCert: string; tlsKey: string }): TlsFiles | undefined {
  if (config.tlsCert === "" && config.tlsKey === "") return undefined;
  if (config.tlsCert === "" || config.tlsKey === "") {
    throw new Fault("config_invalid", "--tls-cert and --tls-key belong together; give both.");
  }
  try {
    return { cert: readFileSync(config.tlsCert), key: readFileSync(config.tlsKey) };
  } catch (error) {
    throw new Fault(
      "config_invalid",
      `The TLS files ${config.tlsCert} and ${config.tlsKey} cannot be read.`,
      { cause: error },
    );
  }
}
