import type { ClientKey, ClientKeyFormat, ClientKeyKind } from "../core/client-key.js";
import type { Limits } from "../core/limits.js";
import type { Minted } from "./client-key-mint.js";
import { cleanIpAllowlist } from "./ip-allowlist.js";
import { patchedExpiry, patchedField } from "./patched-field.js";
import {
  cleanDescription,
  cleanExpiry,
  cleanLimits,
  cleanModelAllowlist,
  cleanName,
  cleanScopes,
} from "./validate.js";

/** What a caller gives for a new client key. */
export interface ClientKeyDraft {
  readonly name: string;
  readonly description?: string | undefined;
  /** Another owner than the caller needs ADMIN. */
  readonly ownerId?: string | undefined;
  /** Default SK. */
  readonly format?: ClientKeyFormat | undefined;
  /** Keeps a sealed copy that the owner can reveal. Default false. */
  readonly recoverable?: boolean | undefined;
  readonly enabled?: boolean | undefined;
  /** Milliseconds since the epoch; null or undefined is never. */
  readonly expiresAt?: number | null | undefined;
  readonly modelAllowlist?: readonly string[] | undefined;
  readonly ipAllowlist?: readonly string[] | undefined;
  readonly scopes?: readonly string[] | undefined;
  readonly limits?: Limits | undefined;
}

/** What can be changed later; undefined leaves a field as it is. */
export interface ClientKeyPatch {
  readonly name?: string | undefined;
  readonly description?: string | undefined;
  readonly expiresAt?: number | null | undefined;
  readonly modelAllowlist?: readonly string[] | undefined;
  readonly ipAllowlist?: readonly string[] | undefined;
  readonly scopes?: readonly string[] | undefined;
  readonly limits?: Limits | undefined;
}

/** The fields that a patch can change. */
export const CLIENT_KEY_PATCH_FIELDS = [
  "name",
  "description",
  "expiresAt",
  "modelAllowlist",
  "ipAllowlist",
  "scopes",
  "limits",
] as const satisfies readonly (keyof ClientKeyPatch & keyof ClientKey)[];

/** The fields of a draft as they are stored. */
export type CleanClientKeyDraft = Pick<
  ClientKey,
  (typeof CLIENT_KEY_PATCH_FIELDS)[number] | "enabled"
>;

/** Checks a draft; without limits of its own it gets the defaults. Throws `invalid_argument`. */
export function cleanClientKeyDraft(
  draft: ClientKeyDraft,
  defaultLimits: Limits,
  nowMs: number,
): CleanClientKeyDraft {
  return {
    name: cleanName("name", draft.name),
    description: cleanDescription("description", draft.description ?? ""),
    enabled: draft.enabled ?? true,
    expiresAt: cleanExpiry("expires_at", draft.expiresAt ?? null, nowMs),
    modelAllowlist: cleanModelAllowlist("model_allowlist", draft.modelAllowlist ?? []),
    ipAllowlist: cleanIpAllowlist("ip_allowlist", draft.ipAllowlist ?? []),
    scopes: cleanScopes("scopes", draft.scopes ?? []),
    limits: cleanLimits("limits", draft.limits ?? defaultLimits),
  };
}

/** The key with a patch applied. Throws `invalid_argument`. */
export function patchedClientKey(key: ClientKey, patch: ClientKeyPatch, nowMs: number): ClientKey {
  const { name, description, expiresAt, modelAllowlist, ipAllowlist, scopes, limits } = patch;
  return {
    ...key,
    name: patchedField(name, key.name, (text) => cleanName("name", text)),
    description: patchedField(description, key.description, (text) =>
      cleanDescription("description", text),
    ),
    expiresAt: patchedExpiry(expiresAt, key.expiresAt, nowMs),
    modelAllowlist: patchedField(modelAllowlist, key.modelAllowlist, (models) =>
      cleanModelAllowlist("model_allowlist", models),
    ),
    ipAllowlist: patchedField(ipAllowlist, key.ipAllowlist, (blocks) =>
      cleanIpAllowlist("ip_allowlist", blocks),
    ),
    scopes: patchedField(scopes, key.scopes, (names) => cleanScopes("scopes", names)),
    limits: patchedField(limits, key.limits, (given) => cleanLimits("limits", given)),
  };
}

/** A whole new record. */
export function newClientKey(parts: {
  readonly id: string;
  readonly ownerId: string;
  readonly kind: ClientKeyKind;
  readonly format: ClientKeyFormat;
  readonly clean: CleanClientKeyDraft;
  readonly minted: Omit<Minted, "secret">;
  readonly nowMs: number;
}): ClientKey {
  const { id, ownerId, kind, format, clean, minted, nowMs } = parts;
  return {
    id,
    ownerId,
    kind,
    format,
    mac: minted.mac,
    pepperVersion: minted.pepperVersion,
    previousMac: null,
    graceUntil: null,
    sealedCopy: minted.sealedCopy,
    prefix: minted.prefix,
    ...clean,
    revokedAt: null,
    createdAt: nowMs,
    updatedAt: nowMs,
    rotatedAt: null,
    lastUsedAt: null,
    lastUsedIp: null,
    newAddressAt: null,
    usageCount: 0,
    version: 1,
  };
}
