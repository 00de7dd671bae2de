import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  ClientKeySchema,
  ClientKey_Format,
  ClientKey_Kind,
  ClientKey_State,
  ImportedClientKey_Outcome,
  UpdateClientKeyRequestSchema,
  type CreateClientKeyRequest,
  type CreateSuperClientKeyRequest,
  type ExistingClientKey,
  type ImportedClientKeySchema,
  type UpdateClientKeyRequest,
} from "../../../proto/gen/latchkey/v1/client_keys_pb.js";
import {
  clientKeyState,
  type ClientKey,
  type ClientKeyFormat,
  type ClientKeyKind,
  type ClientKeyState,
} from "../../core/client-key.js";
import { Secret } from "../../core/secret.js";
import type { ClientKeyDraft, ClientKeyPatch } from "../../keys/client-key-draft.js";
import type { ImportedClientKey, ImportedToken } from "../../keys/client-key-import.js";
import { clientKeyNotices, type NoticeDays } from "../../keys/notices.js";
import { patchOf, type FieldPatches } from "../field-mask.js";
import type { NameLookup } from "../names.js";
import type { ListFields } from "../page-query.js";
import type { BudgetBook, ClientKeyFacts } from "../ports.js";
import { budgetUsageMessage, limitsMessage, limitsOf } from "./limits.js";
import { noticeMessages, usageNotices } from "./notices.js";
import { given, int64, msOf, timeOf, wordOf, type EnumWords } from "./values.js";

const KIND_MESSAGES: Record<ClientKeyKind, ClientKey_Kind> = {
  STANDARD: ClientKey_Kind.STANDARD,
  SUPER: ClientKey_Kind.SUPER,
  BYOR: ClientKey_Kind.BYOR,
};

const FORMAT_MESSAGES: Record<ClientKeyFormat, ClientKey_Format> = {
  SK: ClientKey_Format.SK,
  UUID: ClientKey_Format.UUID,
  ALNUM32: ClientKey_Format.ALNUM32,
};

const FORMAT_WORDS: EnumWords<typeof ClientKey_Format, ClientKeyFormat> = {
  UNSPECIFIED: undefined,
  SK: "SK",
  UUID: "UUID",
  ALNUM32: "ALNUM32",
  IMPORTED: undefined,
};

const STATE_MESSAGES: Record<ClientKeyState, ClientKey_State> = {
  ACTIVE: ClientKey_State.ACTIVE,
  DISABLED: ClientKey_State.DISABLED,
  EXPIRED: ClientKey_State.EXPIRED,
  REVOKED: ClientKey_State.REVOKED,
};

const IMPORT_OUTCOMES: Record<ImportedClientKey["outcome"], ImportedClientKey_Outcome> = {
  CREATED: ImportedClientKey_Outcome.CREATED,
  DUPLICATE: ImportedClientKey_Outcome.DUPLICATE,
  INVALID: ImportedClientKey_Outcome.INVALID,
};

/** Fields that lists of client keys can be filtered and sorted by. */
export const CLIENT_KEY_FIELDS: ListFields = {
  owner: "owner",
  name: "name",
  description: "description",
  kind: { name: "kind", kind: "enum" },
  format: { name: "format", kind: "enum" },
  state: { name: "state", kind: "enum" },
  enabled: "enabled",
  prefix: "prefix",
  recoverable: "recoverable",
  model_allowlist: "modelAllowlist",
  ip_allowlist: "ipAllowlist",
  scopes: "scopes",
  expire_time: "expireTime",
  revoke_time: "revokeTime",
  create_time: "createTime",
  update_time: "updateTime",
  last_used_time: "lastUsedTime",
  last_used_ip: "lastUsedIp",
  call_count: "callCount",
};

/** What the message of a client key is made from, in addition to the key's record. */
export interface ClientKeyContext {
  readonly names: Pick<NameLookup, "usernameOf">;
  readonly facts?: ClientKeyFacts | undefined;
  /** Without it nothing is said of how far budgets are used. */
  readonly budgets?: BudgetBook | undefined;
  readonly noticeDays: NoticeDays;
  readonly nowMs: number;
}

export function clientKeyMessage(
  key: ClientKey,
  context: ClientKeyContext,
): MessageInitShape<typeof ClientKeySchema> {
  const { nowMs, budgets } = context;
  const budgetUse =
    budgets?.budgetUse({ kind: "client key", id: key.id }, key.limits.budgets) ?? [];
  const figures = context.facts?.figuresOf(key) ?? {};
  const inGrace = key.graceUntil !== null && key.graceUntil > nowMs;
  return {
    id: key.id,
    ownerId: key.ownerId,
    ownerUsername: context.names.usernameOf(key.ownerId),
    kind: KIND_MESSAGES[key.kind],
    // Pepper version 0 marks an imported key, whose form another system chose.
    format: key.pepperVersion === 0 ? ClientKey_Format.IMPORTED : FORMAT_MESSAGES[key.format],
    state: STATE_MESSAGES[clientKeyState(key, nowMs)],
    prefix: key.prefix,
    name: key.name,
    description: key.description,
    enabled: key.enabled,
    expireTime: timeOf(key.expiresAt),
    revokeTime: timeOf(key.revokedAt),
    modelAllowlist: [...key.modelAllowlist],
    ipAllowlist: [...key.ipAllowlist],
    scopes: [...key.scopes],
    limits: limitsMessage(key.limits),
    budgetUsage: budgetUse.map(budgetUsageMessage),
    recoverable: key.sealedCopy !== null,
    graceEndTime: timeOf(inGrace ? key.graceUntil : null),
    callCount: int64(key.usageCount),
    calls24h: figures.calls24h === undefined ? undefined : int64(figures.calls24h),
    successRatio24h: figures.successRatio24h,
    lastUsedTime: timeOf(key.lastUsedAt),
    lastUsedIp: key.lastUsedIp ?? "",
    notices: [
      ...noticeMessages(clientKeyNotices(key, context.noticeDays, nowMs)),
      ...usageNotices(figures),
    ],
    secretTime: timeOf(key.rotatedAt ?? key.createdAt),
    createTime: timeOf(key.createdAt),
    updateTime: timeOf(key.updatedAt),
    version: int64(key.version),
    secretProblem: figures.secretProblem ?? "",
  };
}

/** What both ways of making a client key have in common. */
type Draft = Pick<
  CreateSuperClientKeyRequest,
  "name" | "description" | "expireTime" | "modelAllowlist" | "ipAllowlist" | "scopes" | "limits"
>;

/** Throws `invalid_argument` for what a client key cannot have. */
export function clientKeyDraftOf(request: CreateClientKeyRequest): ClientKeyDraft {
  return {
    ...draftOf(request),
    ownerId: given(request.ownerId),
    format: wordOf("format", ClientKey_Format, FORMAT_WORDS, request.format),
    recoverable: request.recoverable,
  };
}

/** Throws `invalid_argument` for what a client key cannot have. */
export function superClientKeyDraftOf(
  request: CreateSuperClientKeyRequest,
): ClientKeyDraft & { readonly ownerId: string } {
  return { ...draftOf(request), ownerId: request.ownerId };
}

function draftOf(request: Draft): ClientKeyDraft {
  return {
    name: request.name,
    description: request.description,
    expiresAt: msOf(request.expireTime),
    modelAllowlist: request.modelAllowlist,
    ipAllowlist: request.ipAllowlist,
    scopes: request.scopes,
    limits: request.limits && limitsOf("limits", request.limits),
  };
}

const PATCHES: FieldPatches<UpdateClientKeyRequest, ClientKeyPatch> = {
  name: ({ name }) => ({ name: name ?? "" }),
  description: ({ description }) => ({ description: description ?? "" }),
  expireTime: ({ expireTime }) => ({ expiresAt: msOf(expireTime) }),
  modelAllowlist: ({ modelAllowlist }) => ({ modelAllowlist }),
  ipAllowlist: ({ ipAllowlist }) => ({ ipAllowlist }),
  scopes: ({ scopes }) => ({ scopes }),
  limits: ({ limits }) => ({ limits: limitsOf("limits", limits) }),
};

/** Throws `invalid_argument` for an unknown name in the mask, and for what a client key cannot have. */
export function clientKeyPatchOf(request: UpdateClientKeyRequest): ClientKeyPatch {
  const schemas = { request: UpdateClientKeyRequestSchema, resource: ClientKeySchema };
  return patchOf(schemas, request, PATCHES);
}

/** An entry of an import; its token is wrapped at once. */
export function importedTokenOf(key: ExistingClientKey): ImportedToken {
  const { name, description, credential } = key;
  const rest = { name, description, expiresAt: msOf(key.expireTime) };
  switch (credential.case) {
    case "secret":
      return { ...rest, token: new Secret(credential.value) };
    case "sha256":
      return { ...rest, sha256: Buffer.from(credential.value).toString("hex") };
    case undefined:
      return rest;
    default:
      return credential satisfies never;
  }
}

export function importedClientKeyMessage(
  entry: ImportedClientKey,
  name: string,
): MessageInitShape<typeof ImportedClientKeySchema> {
  return {
    position: entry.position,
    outcome: IMPORT_OUTCOMES[entry.outcome],
    name,
    clientKeyId: entry.clientKey?.id ?? "",
    message: entry.message,
  };
}
