import { invalidField } from "../core/fault.js";
import type { ProviderKey, Quota, Tier, Visibility } from "../core/provider-key.js";
import type { Secret } from "../core/secret.js";
import { patchedExpiry, patchedField } from "./patched-field.js";
import {
  cleanDescription,
  cleanLine,
  cleanModelAllowlist,
  cleanName,
  cleanQuota,
  cleanTier,
  cleanVisibility,
  cleanWeight,
  QUOTA_GROUP_CHARS_MAX,
  SERVICE_CHARS_MAX,
} from "./validate.js";

const WEIGHT_DEFAULT = 100;

/** What can be changed of a provider key; undefined leaves a field as it is. */
export interface ProviderKeyPatch {
  readonly name?: string | undefined;
  readonly description?: string | undefined;
  /** Null or empty for all services. */
  readonly service?: string | null | undefined;
  readonly modelAllowlist?: readonly string[] | undefined;
  readonly tier?: Tier | undefined;
  /** 1 to 1000. */
  readonly weight?: number | undefined;
  readonly quota?: Quota | null | undefined;
  readonly quotaGroup?: string | null | undefined;
  /** Milliseconds since the epoch; null for never. */
  readonly expiresAt?: number | null | undefined;
}

/** What a caller gives for a new provider key. */
export interface ProviderKeyDraft extends ProviderKeyPatch {
  readonly providerId: string;
  readonly secret: Secret;
  readonly name: string;
  /** Another owner than the caller needs ADMIN. */
  readonly ownerId?: string | undefined;
  readonly visibility?: Visibility | undefined;
  /** Only with PUBLIC. */
  readonly anonymous?: boolean | undefined;
  readonly enabled?: boolean | undefined;
}

/** The fields that a patch can change. */
export const PROVIDER_KEY_PATCH_FIELDS = [
  "name",
  "description",
  "service",
  "modelAllowlist",
  "tier",
  "weight",
  "quota",
  "quotaGroup",
  "expiresAt",
] as const satisfies readonly (keyof ProviderKeyPatch & keyof ProviderKey)[];

type PatchField = (typeof PROVIDER_KEY_PATCH_FIELDS)[number];

/** The fields of a draft as they are stored. */
export type CleanProviderKeyDraft = Pick<
  ProviderKey,
  PatchField | "visibility" | "anonymous" | "enabled"
>;

const UNSET: Omit<Pick<ProviderKey, PatchField>, "name"> = {
  description: "",
  service: null,
  modelAllowlist: [],
  tier: "PRIMARY",
  weight: WEIGHT_DEFAULT,
  quota: null,
  quotaGroup: null,
  expiresAt: null,
};

/** Checks a draft. Throws `invalid_argument`. */
export function cleanProviderKeyDraft(
  draft: ProviderKeyDraft,
  nowMs: number,
): CleanProviderKeyDraft {
  const visibility = cleanVisibility("visibility", draft.visibility ?? "PRIVATE");
  const name = cleanName("name", draft.name);
  return {
    ...patchedFields({ ...UNSET, name }, draft, nowMs),
    visibility,
    anonymous: cleanAnonymous(draft.anonymous ?? false, visibility),
    enabled: draft.enabled ?? true,
  };
}

/** Throws unless a key that hides its owner is public. */
export function cleanAnonymous(anonymous: boolean, visibility: Visibility): boolean {
  if (anonymous && visibility !== "PUBLIC") {
    throw invalidField("anonymous", "makes sense for a public key only");
  }
  return anonymous;
}

/** The patchable fields with a patch applied. Throws `invalid_argument`. */
export function patchedFields(
  base: Pick<ProviderKey, PatchField>,
  patch: ProviderKeyPatch,
  nowMs: number,
): Pick<ProviderKey, PatchField> {
  return {
    name: patchedField(patch.name, base.name, (text) => cleanName("name", text)),
    description: patchedField(patch.description, base.description, (text) =>
      cleanDescription("description", text),
    ),
    service: patchedField(patch.service, base.service, (text) =>
      cleanOptional("service", text, SERVICE_CHARS_MAX),
    ),
    modelAllowlist: patchedField(patch.modelAllowlist, base.modelAllowlist, (models) =>
      cleanModelAllowlist("model_allowlist", models),
    ),
    tier: patchedField(patch.tier, base.tier, (tier) => cleanTier("tier", tier)),
    weight: patchedField(patch.weight, base.weight, (weight) => cleanWeight("weight", weight)),
    quota: patchedField(patch.quota, base.quota, (quota) => cleanQuota("quota", quota)),
    quotaGroup: patchedField(patch.quotaGroup, base.quotaGroup, (text) =>
      cleanOptional("quota_group", text, QUOTA_GROUP_CHARS_MAX),
    ),
    expiresAt: patchedExpiry(patch.expiresAt, base.expiresAt, nowMs),
  };
}

function cleanOptional(field: string, raw: string | null, charsMax: number): string | null {
  const line = cleanLine(field, raw ?? "", charsMax);
  return line === "" ? null : line;
}
