import type { MessageInitShape } from "@bufbuild/protobuf";
import { Dialect as DialectMessage } from "../../../proto/gen/latchkey/v1/common_pb.js";
import {
  ProviderSchema,
  Provider_AuthStyle,
  UpdateProviderRequestSchema,
  type CreateProviderRequest,
  type Provider_ServiceSchema,
  type UpdateProviderRequest,
} from "../../../proto/gen/latchkey/v1/providers_pb.js";
import { SERVICES } from "../../catalog/data/models.js";
import { presetModelId, presetModels } from "../../catalog/preset-models.js";
import type { AuthStyle, Dialect, Provider } from "../../core/provider.js";
import type { ProviderDraft, ProviderPatch } from "../../keys/provider-draft.js";
import { patchOf, type FieldPatches } from "../field-mask.js";
import type { ListFields } from "../page-query.js";
import type { ProviderCounts } from "../provider-counts.js";
import { DIALECTS } from "./calls.js";
import { CATEGORY_MESSAGES } from "./models.js";
import { given, timeOf, wordOf, type EnumWords } from "./values.js";

const DIALECT_WORDS: EnumWords<typeof DialectMessage, Dialect> = {
  UNSPECIFIED: undefined,
  OPENAI: "OPENAI",
  ANTHROPIC: "ANTHROPIC",
  GEMINI: "GEMINI",
};

const AUTH_STYLE_MESSAGES: Record<AuthStyle, Provider_AuthStyle> = {
  BEARER: Provider_AuthStyle.BEARER,
  X_API_KEY: Provider_AuthStyle.X_API_KEY,
  X_GOOG_API_KEY: Provider_AuthStyle.X_GOOG_API_KEY,
  AZURE: Provider_AuthStyle.AZURE,
};

const AUTH_STYLE_WORDS: EnumWords<typeof Provider_AuthStyle, AuthStyle> = {
  UNSPECIFIED: undefined,
  BEARER: "BEARER",
  X_API_KEY: "X_API_KEY",
  X_GOOG_API_KEY: "X_GOOG_API_KEY",
  AZURE: "AZURE",
};

/** Fields that lists of providers can be filtered and sorted by. */
export const PROVIDER_FIELDS: ListFields = {
  slug: "slug",
  display_name: "displayName",
  description: "description",
  base_url: "baseUrl",
  dialect: { name: "dialect", kind: "enum" },
  auth_style: { name: "authStyle", kind: "enum" },
  custom: "custom",
  shared: "shared",
  enabled: "enabled",
  created_by_id: "createdById",
  provider_key_count: "providerKeyCount",
  model_count: "modelCount",
  create_time: "createTime",
  update_time: "updateTime",
};

export type PresetServices = ReadonlyMap<
  string,
  readonly MessageInitShape<typeof Provider_ServiceSchema>[]
>;

export function providerMessage(
  provider: Provider,
  counts: ProviderCounts | undefined,
  services: PresetServices,
): MessageInitShape<typeof ProviderSchema> {
  return {
    id: provider.id,
    slug: provider.slug,
    displayName: provider.displayName,
    description: provider.description,
    baseUrl: provider.baseUrl,
    dialect: DIALECTS[provider.dialect],
    authStyle: AUTH_STYLE_MESSAGES[provider.authStyle],
    custom: provider.custom,
    shared: provider.createdBy === null,
    createdById: provider.createdBy ?? "",
    enabled: provider.enabled,
    services: provider.custom ? [] : [...(services.get(provider.slug) ?? [])],
    modelPatterns: [...provider.modelPatterns],
    modelCount: counts?.models ?? 0,
    providerKeyCount: counts?.providerKeys ?? 0,
    eligibleProviderKeyCount: counts?.eligibleProviderKeys ?? 0,
    createTime: timeOf(provider.createdAt),
    updateTime: timeOf(provider.updatedAt),
  };
}

/** The services of preset providers, by the providers' slugs. */
export function presetServices(): PresetServices {
  const models = new Map(presetModels().map((model) => [model.id, model]));
  const services = new Map<string, MessageInitShape<typeof Provider_ServiceSchema>[]>();
  for (const { provider, service, displayName, models: patterns, defaultModel } of SERVICES) {
    const category = models.get(presetModelId(provider, defaultModel))?.categories[0] ?? "CHAT";
    const message = {
      name: service,
      displayName,
      category: CATEGORY_MESSAGES[category],
      models: [...patterns],
    };
    services.set(provider, [...(services.get(provider) ?? []), message]);
  }
  return services;
}

/** Throws `invalid_argument` for what this server cannot speak. */
export function providerDraftOf(request: CreateProviderRequest): ProviderDraft {
  return {
    displayName: request.displayName,
    slug: given(request.slug),
    baseUrl: request.baseUrl,
    dialect: wordOf("dialect", DialectMessage, DIALECT_WORDS, request.dialect),
    authStyle: wordOf("auth_style", Provider_AuthStyle, AUTH_STYLE_WORDS, request.authStyle),
    description: request.description,
    modelPatterns: request.modelPatterns.length === 0 ? undefined : request.modelPatterns,
  };
}

const PATCHES: FieldPatches<UpdateProviderRequest, ProviderPatch> = {
  displayName: ({ displayName }) => ({ displayName: displayName ?? "" }),
  baseUrl: ({ baseUrl }) => ({ baseUrl: baseUrl ?? "" }),
  dialect: ({ dialect }) => ({
    dialect: wordOf("dialect", DialectMessage, DIALECT_WORDS, dialect ?? 0) ?? "OPENAI",
  }),
  authStyle: ({ authStyle }) => ({
    authStyle:
      wordOf("auth_style", Provider_AuthStyle, AUTH_STYLE_WORDS, authStyle ?? 0) ?? "BEARER",
  }),
  description: ({ description }) => ({ description: description ?? "" }),
  enabled: ({ enabled }) => ({ enabled: enabled ?? true }),
  modelPatterns: ({ modelPatterns }) => ({ modelPatterns }),
};

/** Throws `invalid_argument` for an unknown name in the mask, and for what this server cannot speak. */
export function providerPatchOf(request: UpdateProviderRequest): ProviderPatch {
  const schemas = { request: UpdateProviderRequestSchema, resource: ProviderSchema };
  return patchOf(schemas, request, PATCHES);
}
