import type { Provider } from "../../proto/gen/latchkey/v1/providers_pb.js";
import {
  ProviderKey_Tier,
  ProviderKey_Visibility,
  type ProviderKey,
} from "../../proto/gen/latchkey/v1/provider_keys_pb.js";
import { QUOTA_HINT, limitsText, parseLimits } from "../present/limits.js";
import { confirm } from "../widgets/confirm.js";
import type { Field, FieldValues } from "../widgets/form-fields.js";
import { askFirst } from "./ask-first.js";
import { checkLimits, expiresField, expiryIn, listOf } from "./form-values.js";
import { openForm } from "./form-modal.js";
import { openProviderKeyTest } from "./provider-key-test.js";
import type { ViewContext } from "./view.js";

const TIERS = [
  { value: String(ProviderKey_Tier.PRIMARY), label: "primary" },
  { value: String(ProviderKey_Tier.BACKUP), label: "backup" },
  { value: String(ProviderKey_Tier.OVERFLOW), label: "overflow" },
];

const VISIBILITIES = [
  { value: String(ProviderKey_Visibility.PRIVATE), label: "private: own client keys only" },
  { value: String(ProviderKey_Visibility.PUBLIC), label: "public: donated to the pool" },
];

const NEW_TITLE = "New provider key";

/** Opens the form for a new provider key, or for one that is there. */
export function openProviderKeyForm(
  context: ViewContext,
  options: { readonly key?: ProviderKey; readonly refresh: () => void },
): void {
  const { key, refresh } = options;
  if (key !== undefined) return openEdit(context, key, refresh);
  askFirst(context, {
    title: NEW_TITLE,
    permission: "provider.list",
    ask: (signal) =>
      context.api.providers.listProviders({ pageSize: 1000, filter: "enabled=true" }, { signal }),
    open: ({ providers }) => openNew(context, providers, refresh),
  });
}

/** Opens the form for a new secret of a key. */
export function openRotateProviderKey(
  context: ViewContext,
  key: ProviderKey,
  refresh: () => void,
): void {
  openForm(context, {
    title: `New secret for ${key.name}`,
    permission: "provider_key.rotate",
    fields: [
      { kind: "text", name: "was", label: "So far", value: key.preview, disabled: true },
      {
        kind: "masked",
        name: "secret",
        label: "New secret",
        required: true,
        check: checkSecret,
      },
    ],
    submitLabel: "Replace",
    submit: async ({ secret = "" }) => {
      await context.api.providerKeys.rotateProviderKey({
        id: key.id,
        secret,
        expectedVersion: key.version,
      });
      context.toast({ text: `${key.name} has its new secret; t tests it`, tone: "ok" });
      refresh();
    },
  });
}

function openNew(context: ViewContext, providers: readonly Provider[], refresh: () => void): void {
  if (providers.length === 0) {
    context.toast({ text: "there is no enabled provider; add one in Models", tone: "warn" });
    return;
  }
  const canTest = context.may("provider_key.test");
  openForm(context, {
    title: NEW_TITLE,
    permission: "provider_key.create",
    aliases: { provider_id: "provider", model_allowlist: "models", expire_time: "expires" },
    fields: newFields(context, providers, canTest),
    submitLabel: "Store",
    submit: async (values, requestId) => {
      if (values["test"] === "true") await testFirst(context, values);
      await create(context, values, requestId);
      context.toast({ text: `${values["name"] ?? ""} is stored and sealed`, tone: "ok" });
      refresh();
    },
  });
}

function newFields(
  context: ViewContext,
  providers: readonly Provider[],
  canTest: boolean,
): readonly Field[] {
  const choices = providers
    .map(({ id, slug, displayName }) => ({ value: id, label: `${displayName} (${slug})` }))
    .toSorted((a, b) => a.label.localeCompare(b.label));
  const test: Field[] = canTest
    ? [{ kind: "toggle", name: "test", label: "Test first", value: "true" }]
    : [];
  return [
    {
      kind: "select",
      name: "provider",
      label: "Provider",
      choices,
      value: providers.find(({ slug }) => slug === "openai")?.id ?? "",
    },
    {
      kind: "text",
      name: "name",
      label: "Name",
      required: true,
      placeholder: "main",
    },
    {
      kind: "masked",
      name: "secret",
      label: "Secret",
      required: true,
      placeholder: "paste it",
      check: checkSecret,
    },
    { kind: "select", name: "tier", label: "Tier", choices: TIERS },
    { kind: "select", name: "visibility", label: "Scope", choices: VISIBILITIES },
    { kind: "text", name: "description", label: "Description" },
    { kind: "text", name: "models", label: "Models", placeholder: "all; or gpt-4o*, o4-mini" },
    ...limitFields(context),
    ...test,
  ];
}

/** Behind the dots nobody sees that two lines were pasted. */
function checkSecret(secret: string): string | undefined {
  return /\s/.test(secret) ? "there is a blank or a line break in it: paste one secret" : undefined;
}

function limitFields(context: ViewContext, key?: ProviderKey): readonly Field[] {
  return [
    {
      kind: "text",
      name: "limits",
      label: "Limits",
      value: key === undefined ? "" : limitsText(key.limits),
      placeholder: `none; ${QUOTA_HINT}`,
      check: checkLimits,
    },
    expiresField(context, { otherwise: "never", stored: key?.expireTime }),
  ];
}

async function create(context: ViewContext, values: FieldValues, requestId: string): Promise<void> {
  const limits = parseLimits(values["limits"] ?? "");
  await context.api.providerKeys.createProviderKey({
    providerId: values["provider"] ?? "",
    secret: values["secret"] ?? "",
    name: values["name"] ?? "",
    description: values["description"] ?? "",
    tier: Number(values["tier"]) as ProviderKey_Tier,
    visibility: Number(values["visibility"]) as ProviderKey_Visibility,
    modelAllowlist: listOf(values["models"]),
    requestId,
    ...(values["limits"] === "" || limits === undefined ? {} : { limits }),
    ...expiryIn(context, values),
  });
}

/** Resolves when the candidate works or the person wants it anyway; rejects to go back to the form. */
function testFirst(context: ViewContext, values: FieldValues): Promise<void> {
  const { provider: providerId = "", secret = "", name = "" } = values;
  return new Promise((resolve, reject) => {
    openProviderKeyTest(context, {
      title: name,
      target: { case: "candidate", value: { providerId, secret } },
      next: "store the key",
      onEnd: (outcome) => {
        if (outcome.kind === "passed" || outcome.kind === "unavailable") return resolve();
        if (outcome.kind === "cancelled") return reject(new Error("the test was cancelled"));
        confirm(context.modals, {
          title: "Store it all the same?",
          text: [outcome.message],
          action: "Store anyway",
          onConfirm: resolve,
          onCancel: () => reject(new Error(outcome.message)),
        });
      },
    });
  });
}

function openEdit(context: ViewContext, key: ProviderKey, refresh: () => void): void {
  openForm(context, {
    title: `Edit ${key.name}`,
    permission: "provider_key.update",
    aliases: { model_allowlist: "models", expire_time: "expires" },
    fields: [
      { kind: "text", name: "name", label: "Name", value: key.name, required: true },
      { kind: "select", name: "tier", label: "Tier", choices: TIERS, value: String(key.tier) },
      { kind: "number", name: "weight", label: "Weight", value: String(key.weight), width: 8 },
      { kind: "text", name: "description", label: "Description", value: key.description },
      {
        kind: "text",
        name: "models",
        label: "Models",
        value: key.modelAllowlist.join(", "),
        placeholder: "all",
      },
      { kind: "text", name: "quota_group", label: "Quota group", value: key.quotaGroup },
      ...limitFields(context, key),
    ],
    submitLabel: "Save",
    submit: async (values) => {
      await update(context, key, values);
      context.toast({ text: `${values["name"] ?? ""} is saved`, tone: "ok" });
      refresh();
    },
  });
}

const EDITED_FIELDS = [
  "name",
  "tier",
  "weight",
  "description",
  "model_allowlist",
  "quota_group",
  "limits",
  "expire_time",
];

async function update(context: ViewContext, key: ProviderKey, values: FieldValues): Promise<void> {
  await context.api.providerKeys.updateProviderKey({
    id: key.id,
    updateMask: { paths: EDITED_FIELDS },
    expectedVersion: key.version,
    name: values["name"] ?? "",
    tier: Number(values["tier"]) as ProviderKey_Tier,
    weight: Number(values["weight"]),
    description: values["description"] ?? "",
    modelAllowlist: listOf(values["models"]),
    quotaGroup: values["quota_group"] ?? "",
    limits: parseLimits(values["limits"] ?? "") ?? {},
    ...expiryIn(context, values, key.expireTime),
  });
}
