import { ClientKey_Format } from "../../proto/gen/latchkey/v1/client_keys_pb.js";
import { Dialect } from "../../proto/gen/latchkey/v1/common_pb.js";
import {
  ProviderKey_Tier,
  ProviderKey_Visibility,
} from "../../proto/gen/latchkey/v1/provider_keys_pb.js";
import { Provider_AuthStyle } from "../../proto/gen/latchkey/v1/providers_pb.js";
import type { Api } from "../../tui/api/services.js";

/** A client key of the demo and how it calls. */
export interface DemoKey {
  readonly secret: string;
  readonly dialect: "openai" | "anthropic";
  readonly model: string;
  /** Calls a minute. */
  readonly pace: number;
}

const PROVIDER_KEYS = [
  { provider: "openai", name: "main", tier: ProviderKey_Tier.PRIMARY, public: false },
  { provider: "openai", name: "second", tier: ProviderKey_Tier.PRIMARY, public: true },
  { provider: "openai", name: "spare", tier: ProviderKey_Tier.BACKUP, public: false },
  { provider: "anthropic", name: "claude-1", tier: ProviderKey_Tier.PRIMARY, public: false },
  { provider: "anthropic", name: "捐赠的密钥", tier: ProviderKey_Tier.PRIMARY, public: true },
  { provider: "anthropic", name: "overflow", tier: ProviderKey_Tier.OVERFLOW, public: false },
] as const;

const CLIENT_KEYS = [
  { name: "ci-bot", dialect: "openai", model: "sandbox-mini", pace: 240 },
  { name: "chat-prod", dialect: "anthropic", model: "sandbox-large", pace: 150 },
  { name: "数据团队", dialect: "openai", model: "sandbox-large", pace: 90 },
  { name: "sdk-dev-3", dialect: "anthropic", model: "sandbox-mini", pace: 30 },
] as const;

const PRICES = { "sandbox-mini": [150_000n, 600_000n], "sandbox-large": [3_000_000n, 15_000_000n] };

/** Fills an empty server with what a small team would have. */
export async function fillDemo(api: Api, origin: string): Promise<DemoKey[]> {
  const openai = await addProvider(api, origin, "openai");
  const anthropic = await addProvider(api, origin, "anthropic");
  for (const [i, key] of PROVIDER_KEYS.entries()) {
    await api.providerKeys.createProviderKey({
      providerId: key.provider === "openai" ? openai : anthropic,
      name: key.name,
      secret: `sk-sandbox-${String(i).padStart(4, "0")}-not-a-real-key`,
      tier: key.tier,
      visibility: key.public ? ProviderKey_Visibility.PUBLIC : ProviderKey_Visibility.PRIVATE,
    });
  }
  const keys: DemoKey[] = [];
  for (const { name, dialect, model, pace } of CLIENT_KEYS) {
    const { secret } = await api.clientKeys.createClientKey({ name, format: ClientKey_Format.SK });
    keys.push({ secret, dialect, model, pace });
  }
  return keys;
}

async function addProvider(
  api: Api,
  origin: string,
  dialect: "openai" | "anthropic",
): Promise<string> {
  const isOpenai = dialect === "openai";
  const { provider } = await api.providers.createProvider({
    slug: `sandbox-${dialect}`,
    displayName: isOpenai ? "Sandbox O" : "沙盒 Sandbox A",
    baseUrl: isOpenai ? `${origin}/v1` : origin,
    dialect: isOpenai ? Dialect.OPENAI : Dialect.ANTHROPIC,
    authStyle: isOpenai ? Provider_AuthStyle.BEARER : Provider_AuthStyle.X_API_KEY,
    description: "made up by the demo",
    modelPatterns: Object.keys(PRICES),
  });
  const id = provider?.id ?? "";
  await api.providers.upsertModels({
    providerId: id,
    models: Object.entries(PRICES).map(([modelId, [input, output]]) => ({
      modelId,
      displayName: modelId,
      prices: [{ inputMicrosPerMillion: input ?? 0n, outputMicrosPerMillion: output ?? 0n }],
    })),
  });
  return id;
}
