import { BackupMaker } from "./app/backup.js";
import { openControlPort } from "./app/control-port.js";
import { providerKeysOf } from "./app/facts.js";
import { openFoundation, type World } from "./app/foundation.js";
import { startHousekeeping } from "./app/housekeeping.js";
import { startKeyChecks } from "./app/key-checks.js";
import { observe } from "./app/observation.js";
import { startServing } from "./app/serving.js";
import { startUseCases } from "./app/use-cases.js";
import { careForVault } from "./app/vault-care.js";
import { hostPort } from "./core/listen-fault.js";
import { ChangeHistory } from "./control/change-history.js";
import { Lookups } from "./upstream/lookups.js";
import { UrlPolicy } from "./upstream/url-policy.js";
import { VERSION } from "./version.js";
import type { Banner } from "./app/banner.js";

/** A running server. */
export interface App {
  readonly banner: Banner;
  readonly proxyAddress: string;
  readonly controlAddress: string;
  readonly socketPath: string;
}

/**
 * Starts everything, in the order in which it depends on each other, and registers each part with the
 * lifecycle, which stops them in reverse: first no new calls, then the last records, then the database.
 * Throws a Fault that names cause and remedy; what was started by then is the caller's to stop.
 */
export async function startApp(world: World): Promise<App> {
  const foundation = await openFoundation(world);
  const { config, lifecycle, storage, vault, clock } = foundation;
  const policy = new UrlPolicy({
    allowCidrs: config.allowUpstreamCidr,
    resolve: new Lookups({ clock }).resolve,
  });
  const useCases = await startUseCases(foundation, {
    check: async (baseUrl) => {
      policy.check(baseUrl);
    },
  });
  const serving = await startServing(foundation, useCases, policy);
  await startHousekeeping(foundation, useCases);
  const care = careForVault(foundation, serving);
  const observation = observe(foundation, useCases, serving);
  const keyChecks = startKeyChecks({ foundation, useCases, serving, policy });
  const bound = await serving.gateway.listen({
    host: config.proxyHost,
    port: config.proxyPort,
    onFirstCaller: world.onFirstCaller,
  });
  const proxyAddress = hostPort(bound.host, bound.port);
  lifecycle.started("proxy port", () => serving.gateway.close());
  const history = new ChangeHistory({
    feed: foundation.feed,
    lastSeq: await storage.changes.lastSeq(),
  });
  history.start();
  lifecycle.started("change history", () => history.stop());
  const backup = new BackupMaker({
    ...foundation,
    dataFolder: config.data,
    auditLog: useCases.auditLog,
  });
  await backup.start();
  lifecycle.started("backups", () => backup.stop());
  const control = await openControlPort({
    foundation,
    useCases,
    serving,
    observation,
    keyChecks,
    policy,
    proxyAddress,
    care,
    backup,
    history,
    bound: { control: "", socket: "" },
  });
  // Before the control port, which answers probes and dashboards until the last call is done.
  lifecycle.started("running calls", () => serving.gateway.close());
  observation.readiness.enter("serving");
  lifecycle.started("readiness", () => observation.readiness.enter("stopping"));
  const [firstKey] = providerKeysOf(serving.pool);
  return {
    proxyAddress,
    controlAddress: control.tcp.address,
    socketPath: control.local.address.slice("unix:".length),
    banner: {
      version: VERSION,
      proxyUrl: `${config.proxyTlsCert === "" ? "http" : "https"}://${proxyAddress}`,
      controlAddress: control.tcp.address,
      dataFolder: config.data,
      vaultLocked: vault.state !== "UNLOCKED",
      empty: firstKey === undefined,
    },
  };
}
