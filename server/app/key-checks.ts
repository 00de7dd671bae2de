import { EndpointPaths } from "../gateway/route/endpoint-path.js";
import type { ProviderKey } from "../core/provider-key.js";
import { Fault } from "../core/fault.js";
import type { HealthCheck } from "../keys/ports.js";
import { checkKey } from "../upstream/health-check.js";
import type { EndpointPath } from "../upstream/probe-request.js";
import { probe, type ProbeEvent, type ProbeSubject } from "../upstream/probe.js";
import type { UrlPolicy } from "../upstream/url-policy.js";
import { providerKeysOf } from "./facts.js";
import type { Foundation } from "./foundation.js";
import { outcomeOfCheck } from "../gateway/attempt/verdict.js";
import { HealthLoop } from "./health-loop.js";
import type { Serving } from "./serving.js";
import type { UseCases } from "./use-cases.js";

/** Trying keys against their providers: on request, step by step, and now and then for all. */
export interface KeyChecks {
  readonly probe: (subject: ProbeSubject) => AsyncIterable<ProbeEvent>;
  readonly checkHealth: (key: ProviderKey) => Promise<HealthCheck>;
}

export function startKeyChecks(parts: {
  foundation: Foundation;
  useCases: UseCases;
  serving: Serving;
  policy: UrlPolicy;
}): KeyChecks {
  const { foundation, useCases, serving, policy } = parts;
  const { clock, logger, storage, vault, lifecycle } = foundation;
  const { pool, upstream, secrets } = serving;
  const paths = new EndpointPaths();
  const endpointPath: EndpointPath = (provider, path, model) => paths.of(provider, path, model, "");
  const tools = { upstream, policy, clock, endpointPath };

  const checkHealth = async (key: ProviderKey): Promise<HealthCheck> => {
    const provider = await storage.keys.read.providers.get(key.providerId);
    if (provider === undefined) throw new Fault("not_found", "The key's provider is gone.");
    const secret = secrets.open(key, new URL(provider.baseUrl).origin);
    const { body, ...found } = await checkKey(tools, { provider, secret });
    const check = { providerKeyId: key.id, at: clock.now(), ...found };
    pool.reportCheck(key, { ...found, outcome: outcomeOfCheck(found.httpStatus, body) });
    await storage.keys.write((tx) => tx.healthChecks.append(check));
    return check;
  };
  const loop = new HealthLoop({
    clock,
    logger,
    keyIds: () => Array.from(providerKeysOf(pool), ({ id }) => id),
    keyNow: (id) => {
      const key = pool.registry.slot(id)?.key;
      return vault.state === "UNLOCKED" && key?.enabled === true ? key : undefined;
    },
    check: checkHealth,
    everySeconds: () => useCases.settings.values.healthCheckSeconds,
  });
  loop.start();
  lifecycle.started("health checks", () => loop.stop());
  return { probe: (subject) => probe(tools, subject), checkHealth };
}
