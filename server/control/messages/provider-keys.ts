import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  ProviderKeySchema,
  ProviderKey_Eligibility,
  ProviderKey_Health,
  ProviderKey_Tier,
  ProviderKey_Visibility,
  UpdateProviderKeyRequestSchema,
  type CreateProviderKeyRequest,
  type HealthCheckSchema,
  type UpdateProviderKeyRequest,
} from "../../../proto/gen/latchkey/v1/provider_keys_pb.js";
import type { Health, KeyHealth, ProviderKey, Tier, Visibility } from "../../core/provider-key.js";
import { Secret } from "../../core/secret.js";
import type { HealthCheck } from "../../keys/ports.js";
import { providerKeyNotices, type NoticeDays } from "../../keys/notices.js";
import type { ProviderKeyDraft, ProviderKeyPatch } from "../../keys/provider-key-draft.js";
import { patchOf, type FieldPatches } from "../field-mask.js";
import type { NameLookup } from "../names.js";
import type { ListFields } from "../page-query.js";
import type { Eligibility, ProviderKeyFacts, ProviderKeyFigures } from "../ports.js";
import { quotaMessage, quotaOf, quotaUsageMessages } from "./limits.js";
import { noticeMessages } from "./notices.js";
import { given, int64, msOf, timeOf, wordOf, type EnumWords } from "./values.js";

const WEIGHT_DEFAULT = 100;

export const TIER_MESSAGES: Record<Tier, ProviderKey_Tier> = {
  PRIMARY: ProviderKey_Tier.PRIMARY,
  BACKUP: ProviderKey_Tier.BACKUP,
  OVERFLOW: ProviderKey_Tier.OVERFLOW,
};

export const TIER_WORDS: EnumWords<typeof ProviderKey_Tier, Tier> = {
  UNSPECIFIED: undefined,
  PRIMARY: "PRIMARY",
  BACKUP: "BACKUP",
  OVERFLOW: "OVERFLOW",
};

const VISIBILITY_MESSAGES: Record<Visibility, ProviderKey_Visibility> = {
  PRIVATE: ProviderKey_Visibility.PRIVATE,
  PUBLIC: ProviderKey_Visibility.PUBLIC,
};

export const VISIBILITY_WORDS: EnumWords<typeof ProviderKey_Visibility, Visibility> = {
  UNSPECIFIED: undefined,
  PRIVATE: "PRIVATE",
  PUBLIC: "PUBLIC",
};

const HEALTH_MESSAGES: Record<Health, ProviderKey_Health> = {
  UNKNOWN: ProviderKey_Health.UNKNOWN,
  HEALTHY: ProviderKey_Health.HEALTHY,
  DEGRADED: ProviderKey_Health.DEGRADED,
  COOLDOWN: ProviderKey_Health.COOLDOWN,
  EXHAUSTED: ProviderKey_Health.EXHAUSTED,
  INVALID: ProviderKey_Health.INVALID,
};

const ELIGIBILITY_MESSAGES: Record<Eligibility, ProviderKey_Eligibility> = {
  ELIGIBLE: ProviderKey_Eligibility.ELIGIBLE,
  DISABLED: ProviderKey_Eligibility.DISABLED,
  INVALID: ProviderKey_Eligibility.INVALID,
  COOLDOWN: ProviderKey_Eligibility.COOLDOWN,
  EXHAUSTED: ProviderKey_Eligibility.EXHAUSTED,
  EXPIRED: ProviderKey_Eligibility.EXPIRED,
  OWNER_BANNED: ProviderKey_Eligibility.OWNER_BANNED,
  PROVIDER_DISABLED: ProviderKey_Eligibility.PROVIDER_DISABLED,
  MODEL_NOT_ALLOWED: ProviderKey_Eligibility.MODEL_NOT_ALLOWED,
  OUT_OF_SCOPE: ProviderKey_Eligibility.OUT_OF_SCOPE,
  LIMIT_REACHED: ProviderKey_Eligibility.LIMIT_REACHED,
  QUARANTINED: ProviderKey_Eligibility.QUARANTINED,
  UNREADABLE: ProviderKey_Eligibility.UNREADABLE,
};

/** Fields that lists of provider keys can be filtered and sorted by. */
export const PROVIDER_KEY_FIELDS: ListFields = {
  provider: "provider",
  owner: "owner",
  service: "service",
  name: "name",
  description: "description",
  tier: { name: "tier", kind: "enum" },
  weight: "weight",
  visibility: { name: "visibility", kind: "enum" },
  anonymous: "anonymous",
  enabled: "enabled",
  health: { name: "health", kind: "enum" },
  quota_group: "quotaGroup",
  preview: "preview",
  model_allowlist: "modelAllowlist",
  expire_time: "expireTime",
  secret_time: "secretTime",
  create_time: "createTime",
  update_time: "updateTime",
  last_used_time: "lastUsedTime",
  last_check_time: "lastCheckTime",
  use_count: "useCount",
  success_count: "successCount",
};

/** What the message of a provider key is made from, in addition to the key's record. */
export interface ProviderKeyContext {
  readonly names: Pick<NameLookup, "usernameOf" | "providerSlugOf">;
  readonly facts?: ProviderKeyFacts | undefined;
  readonly noticeDays: NoticeDays;
  readonly nowMs: number;
}

export function providerKeyMessage(
  key: ProviderKey,
  context: ProviderKeyContext,
): MessageInitShape<typeof ProviderKeySchema> {
  const { names } = context;
  const limits = quotaMessage(key.quota);
  return {
    id: key.id,
    ownerId: key.ownerId,
    ownerUsername: names.usernameOf(key.ownerId),
    providerId: key.providerId,
    providerSlug: names.providerSlugOf(key.providerId),
    service: key.service ?? "",
    modelAllowlist: [...key.modelAllowlist],
    name: key.name,
    description: key.description,
    tier: TIER_MESSAGES[key.tier],
    weight: key.weight,
    visibility: VISIBILITY_MESSAGES[key.visibility],
    anonymous: key.anonymous,
    enabled: key.enabled,
    ...(limits === undefined ? {} : { limits }),
    quotaGroup: key.quotaGroup ?? "",
    expireTime: timeOf(key.expiresAt),
    preview: key.preview,
    vaultKeyVersion: key.sealed.vaultKeyVersion,
    ...factsPart(key, context),
    createTime: timeOf(key.createdAt),
    updateTime: timeOf(key.updatedAt),
    version: int64(key.version),
  };
}

/** What is derived, or newer than the record. */
function factsPart(key: ProviderKey, { facts, nowMs, noticeDays }: ProviderKeyContext) {
  const figures: ProviderKeyFigures = facts?.figuresOf(key) ?? {};
  const eligibility = facts?.eligibilityOf(key);
  const notices = providerKeyNotices(key, noticeDays, nowMs);
  return {
    ...healthPart(figures.health ?? key.health, nowMs),
    ...(eligibility === undefined ? {} : { eligibility: ELIGIBILITY_MESSAGES[eligibility] }),
    successRatio: figures.successRatio,
    latencyP95Ms: figures.latencyP95Ms,
    budgetUsage: quotaUsageMessages(key.quota, figures.quotaUse, nowMs),
    notices: noticeMessages(notices),
    secretTime: timeOf(key.secretAt),
    secretProblem: figures.secretProblem ?? "",
  };
}

function healthPart(health: KeyHealth, nowMs: number) {
  // The message has one time for the end of either rest; a time in the past means that the rest is over.
  const restUntil = (health.cooldownUntil ?? 0) > nowMs ? health.cooldownUntil : null;
  const isExhausted = health.state === "EXHAUSTED";
  return {
    health: HEALTH_MESSAGES[health.state],
    consecutiveFailures: health.consecutiveFailures,
    cooldownEndTime: timeOf(isExhausted ? null : restUntil),
    quotaResetTime: timeOf(isExhausted ? restUntil : null),
    modelCooldowns: health.modelCooldowns.map(({ model, until, lastError }) => ({
      model,
      endTime: timeOf(until),
      lastError,
    })),
    lastUsedTime: timeOf(health.lastUsedAt),
    lastCheckTime: timeOf(health.lastCheckedAt),
    lastError: health.lastError ?? "",
    useCount: int64(health.successes + health.failures),
    successCount: int64(health.successes),
  };
}

export function healthCheckMessage(check: HealthCheck): MessageInitShape<typeof HealthCheckSchema> {
  return {
    time: timeOf(check.at),
    health: check.ok ? ProviderKey_Health.HEALTHY : ProviderKey_Health.DEGRADED,
    latencyMs: int64(check.latencyMs),
    httpStatus: check.httpStatus ?? 0,
    error: check.error,
  };
}

/** Throws `invalid_argument` for what a provider key cannot have. */
export function providerKeyDraftOf(request: CreateProviderKeyRequest): ProviderKeyDraft {
  return {
    providerId: request.providerId,
    secret: new Secret(request.secret),
    name: request.name,
    description: request.description,
    ownerId: given(request.ownerId),
    service: given(request.service),
    modelAllowlist: request.modelAllowlist,
    tier: wordOf("tier", ProviderKey_Tier, TIER_WORDS, request.tier),
    weight: request.weight === 0 ? undefined : request.weight,
    visibility: wordOf("visibility", ProviderKey_Visibility, VISIBILITY_WORDS, request.visibility),
    anonymous: request.anonymous,
    enabled: !request.disabled,
    quota: quotaOf("limits", request.limits),
    quotaGroup: given(request.quotaGroup),
    expiresAt: msOf(request.expireTime),
  };
}

const PATCHES: FieldPatches<UpdateProviderKeyRequest, ProviderKeyPatch> = {
  name: ({ name }) => ({ name: name ?? "" }),
  description: ({ description }) => ({ description: description ?? "" }),
  service: ({ service }) => ({ service: service ?? null }),
  modelAllowlist: ({ modelAllowlist }) => ({ modelAllowlist }),
  tier: ({ tier }) => ({
    tier: wordOf("tier", ProviderKey_Tier, TIER_WORDS, tier ?? 0) ?? "PRIMARY",
  }),
  weight: ({ weight }) => ({ weight: weight ?? WEIGHT_DEFAULT }),
  limits: ({ limits }) => ({ quota: quotaOf("limits", limits) }),
  quotaGroup: ({ quotaGroup }) => ({ quotaGroup: quotaGroup ?? null }),
  expireTime: ({ expireTime }) => ({ expiresAt: msOf(expireTime) }),
};

/** Throws `invalid_argument` for an unknown name in the mask, and for what a provider key cannot have. */
export function providerKeyPatchOf(request: UpdateProviderKeyRequest): ProviderKeyPatch {
  const schemas = { request: UpdateProviderKeyRequestSchema, resource: ProviderKeySchema };
  return patchOf(schemas, request, PATCHES);
}
