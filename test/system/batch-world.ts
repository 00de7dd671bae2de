import type { TestContext } from "node:test";
import { Dialect } from "../../proto/gen/latchkey/v1/common_pb.js";
import type { Call } from "../../proto/gen/latchkey/v1/calls_pb.js";
import { Provider_AuthStyle } from "../../proto/gen/latchkey/v1/providers_pb.js";
import type { Api } from "../../tui/api/services.js";
import { BatchProvider } from "../support/batch-provider.js";
import type { UpstreamStub } from "../support/upstream-stub.js";
import { addProviderKey, dataFolder, until, upstream } from "./fixture.js";
import { type RunningServer, serveInside } from "./inside.js";

// A provider of each dialect that works off batches, with a price for its model.

/** Dollars for a million tokens, in micros: one of input, two of output. */
const PRICE = {
  inputMicrosPerMillion: 1_000_000n,
  outputMicrosPerMillion: 2_000_000n,
  cacheReadMicrosPerMillion: 100_000n,
};

export const MODELS = { openai: "gpt-batch", anthropic: "claude-batch", gemini: "gemini-batch" };

/** A server, and the provider behind it. */
export interface BatchWorld<S extends RunningServer> {
  readonly provider: BatchProvider;
  readonly stub: UpstreamStub;
  readonly folder: string;
  readonly server: S;
  readonly providerKeyIds: Readonly<Record<keyof typeof MODELS, string>>;
}

export function batchWorld(t: TestContext): Promise<BatchWorld<RunningServer>> {
  return batchWorldOn(t, serveInside);
}

/** The same, on a server that is started like this. */
export async function batchWorldOn<S extends RunningServer>(
  t: TestContext,
  serve: (t: TestContext, folder: string) => Promise<S>,
): Promise<BatchWorld<S>> {
  const stub = await upstream(t);
  const provider = new BatchProvider();
  stub.script = provider.script;
  const folder = dataFolder(t);
  const server = await serve(t, folder);
  const providerKeyIds = {
    openai: await addBatchProvider(server.api, stub, "openai"),
    anthropic: await addBatchProvider(server.api, stub, "anthropic"),
    gemini: await addBatchProvider(server.api, stub, "gemini"),
  };
  return { provider, stub, folder, server, providerKeyIds };
}

const STYLES = {
  openai: { dialect: Dialect.OPENAI, authStyle: Provider_AuthStyle.BEARER, path: "/v1" },
  anthropic: { dialect: Dialect.ANTHROPIC, authStyle: Provider_AuthStyle.X_API_KEY, path: "" },
  gemini: { dialect: Dialect.GEMINI, authStyle: Provider_AuthStyle.X_GOOG_API_KEY, path: "" },
};

async function addBatchProvider(
  api: Api,
  stub: UpstreamStub,
  kind: keyof typeof MODELS,
): Promise<string> {
  const { dialect, authStyle, path } = STYLES[kind];
  const { provider } = await api.providers.createProvider({
    slug: `batch-${kind}`,
    displayName: `batches of ${kind}`,
    baseUrl: `${stub.origin}${path}`,
    dialect,
    authStyle,
  });
  const providerId = provider?.id ?? "";
  const models = [{ modelId: MODELS[kind], prices: [PRICE] }];
  await api.providers.upsertModels({ providerId, models });
  return addProviderKey(api, providerId, `${kind} main`, `sk-batch-${kind}-5d1e`);
}

/** What a record says of what a batch used. */
export interface Used {
  readonly model: string;
  readonly input: number;
  readonly output: number;
  readonly cost: number | undefined;
  readonly errorCode: string;
}

/** The records of what a batch used, once there are any. */
export async function usedBy(api: Api, batchId: string): Promise<readonly Used[]> {
  let found: readonly Call[] = [];
  await until(async () => {
    found = await recordsOf(api, batchId);
    return found.length > 0;
  });
  return found.map(({ modelServed, tokens, costMicros, unpriced, errorCode }) => ({
    model: modelServed,
    input: Number(tokens?.input),
    output: Number(tokens?.output),
    cost: unpriced ? undefined : Number(costMicros),
    errorCode,
  }));
}

/** Calls of callers have an address; what batches used has none. */
export async function recordsOf(api: Api, batchId: string): Promise<readonly Call[]> {
  const { calls } = await api.calls.listCalls({ pageSize: 500 });
  return calls.filter(({ endpoint, ipAddress: ip }) => endpoint.endsWith(batchId) && ip === "");
}
