import {
  ClientKey_Format,
  type ClientKey,
  type CreateClientKeyResponse,
  type CreateSuperClientKeyResponse,
} from "../../proto/gen/latchkey/v1/client_keys_pb.js";
import type { User } from "../../proto/gen/latchkey/v1/users_pb.js";
import { LIMITS_HINT, parseLimits } from "../present/limits.js";
import type { Field, FieldValues } from "../widgets/form-fields.js";
import { offerSecret, secretLost } from "./client-key-secret.js";
import { checkLimits, expiresField, expiryIn, listOf, SCOPES_HELP } from "./form-values.js";
import { askFirst } from "./ask-first.js";
import { openForm } from "./form-modal.js";
import type { ViewContext } from "./view.js";

const KIND_CHOICES = [
  { value: "standard", label: "own: the owner's provider keys" },
  { value: "super", label: "super: the public pool of all owners" },
];

const FORMAT_CHOICES = [
  { value: String(ClientKey_Format.SK), label: "sk: sk-lk_… with a check sum" },
  { value: String(ClientKey_Format.UUID), label: "uuid" },
  { value: String(ClientKey_Format.ALNUM32), label: "alnum32: 32 letters and digits" },
];

const GRACE_CHOICES = [
  { value: "0", label: "none: the old secret dies at once" },
  { value: "3600", label: "1 hour" },
  { value: "86400", label: "1 day" },
  { value: "604800", label: "7 days" },
];

const MINE = "";
const OWNERS_MAX = 1000;

export interface ClientKeyFormOptions {
  readonly refresh: () => void;
  /** Chosen beforehand, e.g. from the list of users. */
  readonly kind?: "standard" | "super";
  readonly ownerId?: string;
}

/** Opens the form for a new client key; its secret is shown once when the server has made it. */
export function openClientKeyForm(context: ViewContext, options: ClientKeyFormOptions): void {
  if (!context.may("user.list")) return open(context, options, []);
  askFirst(context, {
    title: "New client key",
    permission: "user.list",
    ask: (signal) =>
      context.api.users.listUsers({ pageSize: OWNERS_MAX, filter: "state=active" }, { signal }),
    open: ({ users }) => open(context, options, users),
  });
}

/** Opens the form for a new secret of a key. */
export function openRotateClientKey(
  context: ViewContext,
  key: ClientKey,
  refresh: () => void,
): void {
  openForm(context, {
    title: `New secret for ${key.name}`,
    permission: "client_key.rotate",
    aliases: { grace_seconds: "grace", expire_time: "expires" },
    fields: [
      { kind: "text", name: "was", label: "So far", value: `${key.prefix}…`, disabled: true },
      { kind: "select", name: "grace", label: "Old secret works", choices: GRACE_CHOICES },
      expiresField(context, { otherwise: "as it is" }),
    ],
    submitLabel: "Rotate",
    submit: async (values, requestId) => {
      const answer = await secretLost(
        context.api.clientKeys.rotateClientKey({
          id: key.id,
          graceSeconds: BigInt(values["grace"] ?? "0"),
          requestId,
          ...expiryIn(context, values),
        }),
      );
      refresh();
      offerSecret(context, { ...answer, what: "New secret", refresh });
    },
  });
}

function open(context: ViewContext, options: ClientKeyFormOptions, users: readonly User[]): void {
  openForm(context, {
    title: options.kind === "super" ? "New super key" : "New client key",
    permission: options.kind === "super" ? "client_key.create_super" : "client_key.create",
    aliases: {
      owner_id: "owner",
      model_allowlist: "models",
      ip_allowlist: "addresses",
      expire_time: "expires",
    },
    fields: fieldsOf(context, options, users),
    submitLabel: "Create",
    submit: async (values, requestId) => {
      const answer = await secretLost(create(context, values, requestId));
      options.refresh();
      offerSecret(context, { ...answer, what: "Key created", refresh: options.refresh });
    },
  });
}

function fieldsOf(
  context: ViewContext,
  options: ClientKeyFormOptions,
  users: readonly User[],
): readonly Field[] {
  return [
    { kind: "text", name: "name", label: "Name", required: true, placeholder: "ci-bot" },
    ...kindFields(context, options),
    ...ownerFields(context, options, users),
    {
      kind: "select",
      name: "format",
      label: "Format",
      choices: FORMAT_CHOICES,
      check: (value, values) =>
        values["kind"] === "super" && value !== String(ClientKey_Format.SK)
          ? "super keys are always sk-super-lk_…"
          : undefined,
    },
    expiresField(context, { otherwise: "never" }),
    { kind: "text", name: "models", label: "Models", placeholder: "all; or gpt-4o*, claude-*" },
    {
      kind: "text",
      name: "addresses",
      label: "IP addresses",
      placeholder: "any; or 10.0.0.0/8, 192.168.1.7",
    },
    { kind: "text", name: "scopes", label: "Scopes", placeholder: SCOPES_HELP },
    {
      kind: "text",
      name: "limits",
      label: "Limits",
      placeholder: `default; ${LIMITS_HINT}`,
      check: checkLimits,
    },
    {
      kind: "toggle",
      name: "recoverable",
      label: "Recoverable",
      note: () => "keep a sealed copy that its owner can see again",
      check: (value, values) =>
        value === "true" && values["kind"] === "super" ? "not for super keys" : undefined,
    },
    { kind: "text", name: "description", label: "Description" },
  ];
}

function kindFields(context: ViewContext, options: ClientKeyFormOptions): readonly Field[] {
  if (!context.may("client_key.create_super")) return [];
  const value = options.kind ?? "standard";
  return [{ kind: "select", name: "kind", label: "Kind", choices: KIND_CHOICES, value }];
}

function ownerFields(
  context: ViewContext,
  options: ClientKeyFormOptions,
  users: readonly User[],
): readonly Field[] {
  const me = context.viewer();
  if (users.length === 0 || me === undefined || !context.may("user.update")) return [];
  const others = users
    .filter(({ id }) => id !== me.id)
    .map(({ id, username }) => ({ value: id, label: username }))
    .toSorted((a, b) => a.label.localeCompare(b.label));
  const choices = [{ value: MINE, label: `${me.username} (you)` }, ...others];
  const value = options.ownerId === me.id ? MINE : (options.ownerId ?? MINE);
  return [{ kind: "select", name: "owner", label: "Owner", choices, value }];
}

function create(
  context: ViewContext,
  values: FieldValues,
  requestId: string,
): Promise<CreateClientKeyResponse | CreateSuperClientKeyResponse> {
  const { clientKeys } = context.api;
  const limits = parseLimits(values["limits"] ?? "");
  const common = {
    name: values["name"] ?? "",
    description: values["description"] ?? "",
    modelAllowlist: listOf(values["models"]),
    ipAllowlist: listOf(values["addresses"]),
    scopes: listOf(values["scopes"]),
    requestId,
    ...(values["limits"] === "" || limits === undefined ? {} : { limits }),
    ...expiryIn(context, values),
  };
  const ownerId = values["owner"] ?? MINE;
  if (values["kind"] === "super") {
    const owner = ownerId === MINE ? (context.viewer()?.id ?? "") : ownerId;
    return clientKeys.createSuperClientKey({ ...common, ownerId: owner });
  }
  const format = Number(values["format"]) as ClientKey_Format;
  const recoverable = values["recoverable"] === "true";
  return clientKeys.createClientKey({ ...common, ownerId, format, recoverable });
}
