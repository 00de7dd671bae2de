import type { Logger } from "../core/logger.js";
import path from "node:path";
import type { Config } from "../config.js";
import { Catalog } from "../catalog/catalog.js";
import { presetProviderId } from "../catalog/presets.js";
import type { ProviderLists } from "../catalog/provider-lists.js";
import type { LedgerStore } from "../metering/ports.js";
import type { GatewayLimits } from "../gateway/limits.js";
import { createGateway, type Gateway } from "../gateway/server.js";
import { nodeJournalDisk } from "../metering/journal-disk.js";
import { openAccounting, type Accounting } from "../metering/accounting.js";
import type { Dimension } from "../metering/group-events.js";
import type { Limiter } from "../limits/limiter.js";
import { Tally } from "../observe/tally.js";
import type { CallTraces } from "../observe/traces/call-traces.js";
import { purgeSecretsOnChange } from "../keys/secret-purge.js";
import { Pool } from "../pool/pool.js";
import { socketsFor } from "../upstream/limits.js";
import { Upstream } from "../upstream/upstream.js";
import { AdmissionQueue } from "../limits/admission-queue.js";
import type { UrlPolicy } from "../upstream/url-policy.js";
import { SecretCache } from "../vault/secret-cache.js";
import { createSecretOpener, type CachedSecretOpener } from "../vault/secret-opener.js";
import { loadSodium } from "../vault/sodium.js";
import type { Foundation } from "./foundation.js";
import { startBatches } from "./batches.js";
import { HealthLog } from "./health-log.js";
import { startHomes } from "./homes.js";
import { startLaterUsages } from "./later-usages.js";
import { type ListSources, providerLists } from "./model-lists.js";
import type { Names } from "./names.js";
import { ownPoolSummaryOf, poolSummaryOf } from "./pool-summary.js";
import { startLimiter } from "./limiter.js";
import { startQuotas } from "./quotas.js";
import { startTls } from "./tls-source.js";
import { startTraces } from "./traces.js";
import type { UseCases } from "./use-cases.js";
import { WriteBehind } from "./write-behind.js";

/** What answers calls, and what counts them. */
export interface Serving {
  readonly catalog: Catalog;
  readonly lists: ProviderLists;
  readonly pool: Pool;
  readonly accounting: Accounting;
  readonly ledger: LedgerStore;
  readonly upstream: Upstream;
  readonly secrets: CachedSecretOpener;
  readonly admission: AdmissionQueue;
  readonly limiter: Limiter;
  readonly gateway: Gateway;
  /** Undefined when calls are not traced. */
  readonly traces: CallTraces | undefined;
  /** Provider keys that became healthy, cooling, exhausted and so on, since the start of the process. */
  readonly healthChanges: Tally<"to">;
}

const MIB = 1024 * 1024;

/** Builds the way of a call, from the model's name to the journal. Nothing listens yet. */
export async function startServing(
  foundation: Foundation,
  useCases: UseCases,
  policy: UrlPolicy,
): Promise<Serving> {
  const { clock, logger, lifecycle, storage, ids, config } = foundation;
  let sources: ListSources | undefined;
  const lists = providerLists(foundation, () => sources);
  const { catalog, pool, healthChanges } = await startAllocation(foundation, useCases.names, lists);
  const ledger = storage.ledger;
  const traces = await startTraces(foundation);
  const accounting = await startAccounting(foundation, useCases, { catalog, pool, traces });
  await startQuotas(pool, { ledger, accounting, clock, logger });
  const upstream = new Upstream({ clock, policy, limits: socketsFor(config.callsMax) });
  lifecycle.started("upstream", () => upstream.close());
  const secrets = await secretOpener(foundation, pool);
  sources = { pool, upstream, secrets };
  let callers: Gateway | undefined;
  const limiter = await startLimiter(foundation, useCases, { accounting, callers: () => callers });
  const laterUsages = await startLaterUsages(foundation);
  const batches = await startBatches(foundation, {
    laterUsages,
    catalog,
    pool,
    upstream,
    secrets,
    accounting,
    limiter,
  });
  const tls = startProxyTls(foundation);
  const admission = admissionOf(foundation, useCases);
  const gateway = createGateway({
    authenticator: useCases.directory,
    router: catalog,
    admission,
    abortedCalls: () => useCases.settings.values.abortedCallPolicy,
    limiter,
    pool,
    secrets,
    sink: accounting.sink,
    upstream,
    clock,
    ids,
    logger,
    ...(tls === undefined ? {} : { tls: tls.files }),
    trustedProxies: config.trustedProxies,
    corsOrigins: config.corsOrigins,
    limits: limitsOf(config),
    traces,
    homes: await startHomes(foundation),
    laterUsages,
    batches,
  });
  callers = gateway;
  tls?.source.watch((files) => gateway.setTls(files));
  return {
    catalog,
    lists,
    pool,
    accounting,
    ledger,
    upstream,
    secrets,
    admission,
    limiter,
    gateway,
    traces,
    healthChanges,
  };
}

/** What counts calls; the database is complete then. */
async function startAccounting(
  { config, clock, logger, lifecycle, storage: { ledger } }: Foundation,
  useCases: UseCases,
  parts: {
    readonly catalog: Catalog;
    readonly pool: Pool;
    readonly traces: CallTraces | undefined;
  },
): Promise<Accounting> {
  const { catalog, pool, traces } = parts;
  const openai = presetProviderId("openai");
  const accounting = await openAccounting({
    ledger,
    disk: nodeJournalDisk(path.join(config.data, "journal")),
    clock,
    logger,
    policy: () =>
      useCases.settings.values.storageFailurePolicy === "REFUSE" ? "strict" : "besteffort",
    durability: () => useCases.settings.values.durability,
    poolSummary: () => poolSummaryOf(pool),
    ownPoolSummary: (ownerId) => ownPoolSummaryOf(pool, ownerId),
    nameOf: (dimension, id) => nameOf(useCases, dimension, id),
    // The tool is OpenAI's, whoever sells its responses.
    imageModelPrice: (model) => catalog.priceOf(openai, model),
    onFinished: traces && ((record) => traces.recorded(record)),
  });
  lifecycle.started("accounting", () => closeAccounting(accounting, logger));
  await ledger.restoreUses().catch((thrown: unknown) => {
    logger.warn({ err: thrown }, "uses of client keys before the last kill are not counted");
  });
  return accounting;
}

async function closeAccounting(accounting: Accounting, logger: Logger): Promise<void> {
  if (await accounting.close()) return;
  logger.warn({}, "the database did not take all calls; the journal keeps them for the next start");
}

function startProxyTls(foundation: Foundation): ReturnType<typeof startTls> {
  return startTls(foundation, {
    cert: foundation.config.proxyTlsCert,
    key: foundation.config.proxyTlsKey,
    flags: { cert: "proxy-tls-cert", key: "proxy-tls-key" },
  });
}

/** As many calls may wait as may be under way. */
function admissionOf({ clock, config }: Foundation, { settings }: UseCases): AdmissionQueue {
  return new AdmissionQueue({
    clock,
    activeMax: config.callsMax,
    waitingMax: config.callsMax,
    waitMaxMs: () => settings.values.queueTimeoutMs,
  });
}

/** The limits that an operator sets. */
function limitsOf(config: Config): Partial<GatewayLimits> {
  return {
    bodyBytesMax: config.bodyMiBMax * MIB,
    callerSocketsMax: config.callerSocketsMax,
    callerSocketsPerAddressMax: config.callerSocketsPerAddressMax,
    busyPollMicros: config.busyPollMicros,
    drainTimeoutMs: config.drainSeconds * 1000,
  };
}

/** Catalogue, pool and names hold the same things, which are read once for all. */
async function startAllocation(
  foundation: Foundation,
  names: Names,
  lists: ProviderLists,
): Promise<Pick<Serving, "catalog" | "pool" | "healthChanges">> {
  const { clock, random, logger, lifecycle, storage, feed } = foundation;
  const store = storage.keys;
  const healthChanges = new Tally(["to"]);
  const healthLog = new HealthLog(clock, logger);
  lifecycle.started("health in the log", () => {
    healthLog.stop();
  });
  const catalog: Catalog = new Catalog({
    clock,
    logger,
    hasKeys: (...asked) => pool.hasKeys(...asked),
    lists,
  });
  const pool: Pool = new Pool({
    clock,
    random,
    logger,
    inService: (providerId, service, model) => catalog.inService(providerId, service, model),
    onHealthChange: ({ providerKeyId, previous, health }) => {
      // What rests for single models, or longer, is in the same condition.
      if (previous === health.state) return;
      healthChanges.add({ to: health.state.toLowerCase() });
      healthLog.changed(providerKeyId, previous, health.state);
    },
  });
  const load = async (): Promise<void> => {
    const { read } = store;
    const [providers, models, users, keys, settings] = await Promise.all([
      read.providers.all(),
      read.models.all(),
      read.users.all(),
      read.providerKeys.all(),
      read.settings.all(),
    ]);
    catalog.load({ providers, models, users, settings });
    pool.load({ keys, users, providers }, settings);
    names.load({ keys, users, providers });
  };
  const leave = await feed.join(
    ["provider", "model", "user", "provider_key", "setting"],
    load,
    (change) => {
      catalog.applyChange(change);
      pool.applyChange(change);
      names.applyChange(change);
    },
  );
  lifecycle.started("catalogue, pool and names", leave);
  const writer = new WriteBehind({
    clock,
    logger,
    what: "key health",
    takeChanged: () => pool.takeDirtyHealth(),
    nameOf: ({ providerKeyId }) => providerKeyId,
    write: (rows) =>
      store.write(async (tx) => {
        for (const row of rows) await tx.providerKeys.saveHealth(row.providerKeyId, row.health);
      }),
    pendingMax: Number.POSITIVE_INFINITY,
  });
  writer.start();
  lifecycle.started("key health", () => writer.stop());
  return { catalog, pool, healthChanges };
}

async function secretOpener(foundation: Foundation, pool: Pool): Promise<CachedSecretOpener> {
  const { vault, random, feed, lifecycle, logger } = foundation;
  const cache = new SecretCache({ sodium: await loadSodium(), random });
  const opener = createSecretOpener(vault, cache);
  const leave = purgeSecretsOnChange(feed, opener);
  const ignore = vault.onRefusal(({ binding, reason }) => {
    logger.error({ providerKeyId: binding.recordId, reason }, "a stored secret was refused");
    pool.markUnreadable(binding.recordId);
  });
  lifecycle.started("opened secrets", () => {
    leave();
    ignore();
    opener.close();
  });
  return opener;
}

function nameOf(useCases: UseCases, dimension: Dimension, id: string): string | undefined {
  switch (dimension) {
    case "PROVIDER":
      return useCases.names.providerNameOf(id);
    case "PROVIDER_KEY":
      return useCases.names.providerKeyNameOf(id);
    case "OWNER":
      return useCases.names.usernameOf(id);
    case "CLIENT_KEY":
      return useCases.directory.nameOf(id);
    case "MODEL":
      return undefined;
    default:
      return dimension satisfies never;
  }
}
