import type { ClientKey, ClientKeyKind, Principal } from "../../server/core/client-key.js";
import { UNLIMITED } from "../../server/core/limits.js";
import type { Logger } from "../../server/core/logger.js";
import type { Provider, Route } from "../../server/core/provider.js";
import { NEW_KEY_HEALTH, type ProviderKey } from "../../server/core/provider-key.js";
import type { Random } from "../../server/core/random.js";

/** Records with harmless values in all fields, for tests that care about a few. */

export function aProviderKey(id: string, over: Partial<ProviderKey> = {}): ProviderKey {
  return {
    id,
    ownerId: "usr_owner",
    providerId: "prv_test",
    service: null,
    modelAllowlist: [],
    name: id,
    description: "",
    tier: "PRIMARY",
    weight: 1,
    visibility: "PUBLIC",
    anonymous: false,
    enabled: true,
    sealed: { vaultKeyVersion: 1, ciphertext: new Uint8Array(), rowMac: new Uint8Array() },
    fingerprint: `fp-${id}`,
    preview: "sk-abc...xyz",
    quota: null,
    quotaGroup: null,
    expiresAt: null,
    health: NEW_KEY_HEALTH,
    secretAt: 0,
    createdAt: 0,
    updatedAt: 0,
    version: 1,
    ...over,
  };
}

export function aClientKey(id: string, over: Partial<ClientKey> = {}): ClientKey {
  return {
    id,
    ownerId: "usr_owner",
    kind: "STANDARD",
    format: "SK",
    mac: `mac-${id}`,
    pepperVersion: 1,
    previousMac: null,
    graceUntil: null,
    sealedCopy: null,
    prefix: "sk-lk-0000",
    name: id,
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
    ...over,
  };
}

export function aPrincipal(kind: ClientKeyKind, ownerId = "usr_owner"): Principal {
  return { ownerId, clientKey: aClientKey(`ck_${ownerId}`, { kind, ownerId }) };
}

/** A custom provider that takes any model. */
export function aProvider(id: string, over: Partial<Provider> = {}): Provider {
  return {
    id,
    slug: id.replace("prv_", ""),
    displayName: id,
    baseUrl: "https://upstream.example/v1",
    dialect: "OPENAI",
    authStyle: "BEARER",
    description: "",
    custom: false,
    createdBy: null,
    enabled: true,
    modelPatterns: ["*"],
    createdAt: 0,
    updatedAt: 0,
    ...over,
  };
}

/** A route to one or more providers for a model. */
export function aRoute(model = "model-x", ...providerIds: string[]): Route {
  const ids = providerIds.length === 0 ? ["prv_test"] : providerIds;
  return {
    modelAsked: model,
    targets: ids.map((id) => ({
      provider: aProvider(id),
      upstreamModel: model,
      price: null,
      maxOutput: null,
    })),
  };
}

/** The same bytes for the same seed, so that a failing run can be repeated. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return {
    bytes(count) {
      return Uint8Array.from({ length: count }, () => {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        return state >>> 24;
      });
    },
  };
}

/** Uniform numbers from 0 to 1 of the same kind. */
export function seededUniform(seed: number): () => number {
  const random = seededRandom(seed);
  return () => {
    const [a = 0, b = 0, c = 0] = random.bytes(3);
    return ((a << 16) | (b << 8) | c) / 0x1000000;
  };
}

export const silentLogger: Logger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
};
