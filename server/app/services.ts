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
import { auditService } from "../control/audit.js";
import { callsService } from "../control/calls.js";
import { clientKeysService } from "../control/client-keys.js";
import { MemoryIdempotencyStore } from "../control/idempotency.js";
import type { NameLookup } from "../control/names.js";
import { poolService } from "../control/pool.js";
import { providerKeysService } from "../control/provider-keys.js";
import { providersService } from "../control/providers.js";
import { served, type Served } from "../control/router.js";
import { sessionsService } from "../control/sessions.js";
import { systemService } from "../control/system.js";
import { usageService } from "../control/usage.js";
import { usersService } from "../control/users.js";
import { UNLIMITED } from "../core/limits.js";
import { ModelRewrites } from "../keys/rewrites.js";
import { UsageReports } from "../metering/usage.js";
import { DayFigures } from "./day-figures.js";
import { changeResources } from "./change-resources.js";
import { clientKeyFacts, providerKeyFacts, providerKeysOf } from "./facts.js";
import { ownPoolSummaryOf, poolSummaryOf } from "./pool-summary.js";
import { systemDeps } from "./system-deps.js";
import type { UseCases } from "./use-cases.js";
import type { ControlParts } from "./control-port.js";

/** Until there are several, every node is this one. */
const NODE_ID = "node-1";

/** Every service of the control API, with what each one needs. */
export function services(parts: ControlParts): readonly Served[] {
  const common = commonParts(parts);
  return [...keyServices(parts, common), ...serverServices(parts, common)];
}

type Common = ReturnType<typeof commonParts>;

function commonParts({
  foundation: { clock },
  useCases,
  serving: { ledger, limiter },
}: ControlParts) {
  return {
    idempotency: new MemoryIdempotencyStore({ clock }),
    names: namesOf(useCases),
    clock,
    noticeDays: () => {
      const { rotationDueDays, expiryNoticeDays } = useCases.settings.values;
      return { rotationDueDays, expiryNoticeDays };
    },
    ledger,
    budgets: limiter,
    usage: new UsageReports({ ledger, clock }),
    nodeId: NODE_ID,
  };
}

/** People, providers and keys. */
function keyServices(parts: ControlParts, common: Common): readonly Served[] {
  const { foundation, useCases, serving } = parts;
  const { storage, config } = foundation;
  const { usage } = common;
  const reader = storage.keys.read;
  const dayFigures = new DayFigures({
    ledger: serving.ledger,
    clock: common.clock,
    logger: foundation.logger,
  });
  const figures = { reader, usage };
  const facts = keyFactsOf(parts);
  return [
    served(
      SessionService,
      sessionsService({
        ...common,
        sessions: useCases.sessions,
        users: useCases.users,
        sessionReader: reader.sessions,
        figures,
        secureCookies: config.tlsCert !== "",
        onLogout: (userId) => useCases.identities.announce(userId),
      }),
    ),
    served(UserService, usersService({ ...common, users: useCases.users, figures })),
    served(
      ProviderService,
      providersService({
        ...common,
        providers: useCases.providers,
        models: useCases.models,
        rewrites: rewritesFor(parts),
        rewritesOf: (model) => serving.catalog.rewritesOf(model),
        counts: { models: reader.models, keys: () => providerKeysOf(serving.pool), facts },
      }),
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
        facts: clientKeyFacts(dayFigures, parts.care.refused),
        statistics: { usage, providerKeyReader: storage.keys.read.providerKeys },
      }),
    ),
  ];
}

/** The running server: its pool, calls, usage, audit log and itself. */
function serverServices(parts: ControlParts, common: Common): readonly Served[] {
  const { foundation, useCases, serving } = parts;
  const { storage, vault } = foundation;
  const { accounting } = serving;
  return [
    served(
      PoolService,
      poolService({
        ...common,
        settings: useCases.settings,
        clientKeys: useCases.clientKeys,
        summary: () => poolSummaryOf(serving.pool),
        ownSummary: (ownerId) => ownPoolSummaryOf(serving.pool, ownerId),
        allocation: () => serving.pool.allocation,
        explain: (...asked) => serving.pool.explain(...asked),
        codeWithoutKey: (...asked) => serving.pool.codeWithoutKey(...asked),
        resolve: (model, principal) => serving.catalog.resolve(model, principal),
        ownTargets: (model, principal) => serving.catalog.ownTargets(model, principal),
      }),
    ),
    served(CallService, callsService({ ...common, liveCalls: accounting.liveCalls })),
    served(
      UsageService,
      usageService({
        ...common,
        records: storage.keys.read,
        overview: accounting.overview,
        ownerOverview: (ownerId) => accounting.ownerOverviews.of(ownerId),
        limitsOf: (ownerId) =>
          ownerId === undefined
            ? useCases.settings.values.serverLimits
            : (useCases.directory.ownerLimits.get(ownerId) ?? UNLIMITED),
        ownsKey: (ownerId, id) => serving.pool.registry.slot(id)?.key.ownerId === ownerId,
        queue: () => serving.admission,
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
    served(
      SystemService,
      systemService({ ...systemDeps(parts, NODE_ID), changes: changesPart(parts, common) }),
    ),
  ];
}

function rewritesFor({ useCases, serving }: ControlParts): ModelRewrites {
  const { operations } = useCases;
  return new ModelRewrites({ operations, lookUp: (name) => serving.catalog.lookUp(name) });
}

/** What a watch of changes needs. */
function changesPart(parts: ControlParts, common: Common) {
  const { foundation, useCases, serving, history } = parts;
  const resourceOf = changeResources({
    ...common,
    facts: keyFactsOf(parts),
    settings: useCases.settings,
    allocation: () => serving.pool.allocation,
    rewritesOf: (model) => serving.catalog.rewritesOf(model),
    rewrites: rewritesFor(parts),
  });
  return { history, reader: foundation.storage.keys.read, resourceOf };
}

function keyFactsOf({ foundation, serving, care }: ControlParts) {
  const { pool, accounting } = serving;
  return providerKeyFacts(pool, accounting.meter, care.refused, foundation.clock);
}

/** What the provider key service needs in addition to what all services share. */
function providerKeyParts(parts: ControlParts) {
  const { foundation, useCases, serving, keyChecks, policy } = parts;
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
      facts: keyFactsOf(parts),
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
