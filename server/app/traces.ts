import { randomUUID } from "node:crypto";
import type { Provider } from "../core/provider.js";
import { CallTraces } from "../observe/traces/call-traces.js";
import type { TracedProvider } from "../observe/traces/call-spans.js";
import { readTraceConfig } from "../observe/traces/trace-config.js";
import { VERSION } from "../version.js";
import type { Foundation } from "./foundation.js";

/**
 * Begins to trace calls where the options or OpenTelemetry's variables name a collector; undefined where they
 * name none. Throws Fault `config_invalid`.
 */
export async function startTraces(foundation: Foundation): Promise<CallTraces | undefined> {
  const { config: options, env, clock, random, logger, httpPost, lifecycle } = foundation;
  const config = readTraceConfig({
    endpoint: options.otlpEndpoint,
    sampleRatio: options.traceRatio,
    version: VERSION,
    instanceId: randomUUID(),
    env,
  });
  if (config === undefined) return undefined;
  const { providers, leave } = await followProviders(foundation);
  const providerOf = (id: string): TracedProvider | undefined => providers.get(id);
  const traces = new CallTraces({
    config,
    version: VERSION,
    scheme: options.proxyTlsCert === "" ? "http" : "https",
    clock,
    random,
    logger,
    httpPost,
    providerOf,
  });
  lifecycle.started("traces", async () => {
    await traces.close();
    leave();
  });
  logger.info({ endpoint: config.url, ratio: config.sampleRatio }, "calls are traced");
  return traces;
}

async function followProviders({ feed, storage }: Foundation): Promise<{
  readonly providers: ReadonlyMap<string, TracedProvider>;
  readonly leave: () => void;
}> {
  const providers = new Map<string, TracedProvider>();
  const leave = await feed.join(
    ["provider"],
    async () => {
      for (const each of await storage.keys.read.providers.all())
        providers.set(each.id, traced(each));
    },
    ({ id, value }) => {
      if (value === null) providers.delete(id);
      else providers.set(id, traced(value));
    },
  );
  return { providers, leave };
}

function traced({ slug, baseUrl }: Provider): TracedProvider {
  const { hostname, port, protocol } = new URL(baseUrl);
  const host = hostname.replace(/^\[(.*)\]$/, "$1");
  return { slug, host, port: port === "" ? (protocol === "http:" ? 80 : 443) : Number(port) };
}
