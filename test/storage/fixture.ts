import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import type { TestContext } from "node:test";
import { type AuditDraft, SYSTEM_ACTOR } from "../../server/core/audit.js";
import type { Change } from "../../server/core/change.js";
import type { ClientKey } from "../../server/core/client-key.js";
import { UNLIMITED } from "../../server/core/limits.js";
import type { Clock } from "../../server/core/clock.js";
import type { Logger } from "../../server/core/logger.js";
import type { PageQuery } from "../../server/core/page.js";
import { NEW_KEY_HEALTH, type ProviderKey } from "../../server/core/provider-key.js";
import type { Model, Provider } from "../../server/core/provider.js";
import type { User } from "../../server/core/user.js";
import { openStorage, type Storage, type StorageOptions } from "../../server/storage/open.js";

export const START_MS = Date.UTC(2026, 0, 15, 10, 30);

/** A clock that stands still until it is moved. */
export class StoppedClock implements Clock {
  ms = START_MS;
  now(): number {
    return this.ms;
  }
  monotonic(): number {
    return this.ms;
  }
  setTimer(): { cancel(): void } {
    throw new Error("the storage sets no timers");
  }
}

export const silent: Logger = { debug() {}, info() {}, warn() {}, error() {} };

export async function tempFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(path.join(os.tmpdir(), "latchkey-storage-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

export interface Opened {
  storage: Storage;
  clock: StoppedClock;
  folder: string;
  announced: Change[];
}

/** A storage on a fresh folder, or on the given one, that is closed after the test. */
export async function opened(
  t: TestContext,
  options: Partial<StorageOptions> = {},
): Promise<Opened> {
  const folder = options.dataFolder ?? (await tempFolder(t));
  const clock = new StoppedClock();
  const announced: Change[] = [];
  const storage = await openStorage({
    refusesNested: true,
    dataFolder: folder,
    clock,
    logger: silent,
    onCommit: (changes) => announced.push(...changes),
    auditMac: () => null,
    ...options,
  });
  t.after(() => storage.close());
  return { storage, clock, folder, announced };
}

export function query(part: Partial<PageQuery> = {}): PageQuery {
  return {
    conditions: [],
    text: "",
    orderBy: "",
    descending: false,
    pageSize: 50,
    pageToken: "",
    ...part,
  };
}

export function user(id: string, part: Partial<User> = {}): User {
  return {
    id,
    username: `name-${id}`,
    email: null,
    passwordHash: null,
    role: "USER",
    trustLevel: 0,
    state: "ACTIVE",
    failedLogins: 0,
    lockedUntil: null,
    places: [],
    createdAt: START_MS,
    updatedAt: START_MS,
    lastLoginAt: null,
    limits: UNLIMITED,
    note: "",
    banReason: "",
    version: 1,
    ...part,
  };
}

export function provider(id: string, part: Partial<Provider> = {}): Provider {
  return {
    id,
    slug: `slug-${id}`,
    displayName: "阿里云通义万相",
    baseUrl: "https://api.example.com/v1",
    dialect: "OPENAI",
    authStyle: "BEARER",
    description: "",
    custom: false,
    createdBy: null,
    enabled: true,
    modelPatterns: ["gpt-*"],
    createdAt: START_MS,
    updatedAt: START_MS,
    ...part,
  };
}

export function model(id: string, providerId: string, part: Partial<Model> = {}): Model {
  return {
    id,
    providerId,
    modelId: `model-${id}`,
    displayName: `Model ${id}`,
    categories: ["CHAT", "CODE"],
    services: ["qwen"],
    contextWindow: 128_000,
    maxOutput: null,
    isDefault: false,
    aliases: [],
    fallbacks: [],
    prices: [
      {
        effectiveFrom: START_MS,
        input: 150_000,
        output: 600_000,
        cacheRead: null,
        cacheWrite: null,
        longContextFrom: null,
        longContextInput: null,
        longContextOutput: null,
        longContextCacheRead: null,
        longContextCacheWrite: null,
      },
    ],
    updatedAt: START_MS,
    ...part,
  };
}

export function providerKey(id: string, part: Partial<ProviderKey> = {}): ProviderKey {
  return {
    id,
    ownerId: "usr_1",
    providerId: "prv_1",
    service: null,
    modelAllowlist: [],
    name: `key ${id}`,
    description: "",
    tier: "PRIMARY",
    weight: 1,
    visibility: "PRIVATE",
    anonymous: false,
    enabled: true,
    sealed: {
      vaultKeyVersion: 1,
      ciphertext: Uint8Array.from([0, 1, 2, 254, 255]),
      rowMac: Uint8Array.from([9, 8, 7]),
    },
    fingerprint: `fingerprint-${id}`,
    preview: "sk-abc...xyz",
    quota: null,
    quotaGroup: null,
    expiresAt: null,
    health: NEW_KEY_HEALTH,
    secretAt: START_MS,
    createdAt: START_MS,
    updatedAt: START_MS,
    version: 1,
    ...part,
  };
}

export function clientKey(id: string, part: Partial<ClientKey> = {}): ClientKey {
  return {
    id,
    ownerId: "usr_1",
    kind: "STANDARD",
    format: "SK",
    mac: `mac-${id}`,
    pepperVersion: 1,
    previousMac: null,
    graceUntil: null,
    sealedCopy: null,
    prefix: "sk-lk_Ab3d",
    name: `client ${id}`,
    description: "",
    enabled: true,
    revokedAt: null,
    expiresAt: null,
    modelAllowlist: [],
    ipAllowlist: [],
    scopes: [],
    limits: UNLIMITED,
    createdAt: START_MS,
    updatedAt: START_MS,
    rotatedAt: null,
    lastUsedAt: null,
    lastUsedIp: null,
    newAddressAt: null,
    usageCount: 0,
    version: 1,
    ...part,
  };
}

export function auditDraft(part: Partial<AuditDraft> = {}): AuditDraft {
  return {
    actor: SYSTEM_ACTOR,
    action: "provider_key.create",
    targetId: "pk_1",
    targetName: "一号",
    changedFields: ["name", "tier"],
    outcome: "OK",
    note: "",
    ...part,
  };
}
