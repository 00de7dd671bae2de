import type { ClientKey } from "../../proto/gen/latchkey/v1/client_keys_pb.js";
import { LIMITS_HINT, limitsText, parseLimits } from "../present/limits.js";
import type { FieldValues } from "../widgets/form-fields.js";
import { checkLimits, expiresField, expiryIn, listOf, SCOPES_HELP } from "./form-values.js";
import { openForm } from "./form-modal.js";
import type { ViewContext } from "./view.js";

const EDITED_FIELDS = [
  "name",
  "description",
  "expire_time",
  "model_allowlist",
  "ip_allowlist",
  "scopes",
  "limits",
];

/** Opens the form for what can be changed of a client key; its secret is not part of that. */
export function openClientKeyEdit(context: ViewContext, key: ClientKey, refresh: () => void): void {
  openForm(context, {
    title: `Edit ${key.name}`,
    permission: "client_key.update",
    aliases: { model_allowlist: "models", ip_allowlist: "addresses", expire_time: "expires" },
    fields: [
      { kind: "text", name: "name", label: "Name", value: key.name, required: true },
      { kind: "text", name: "description", label: "Description", value: key.description },
      expiresField(context, { otherwise: "never", stored: key.expireTime }),
      list("models", "Models", key.modelAllowlist, "all"),
      list("addresses", "IP addresses", key.ipAllowlist, "any"),
      list("scopes", "Scopes", key.scopes, SCOPES_HELP),
      {
        kind: "text",
        name: "limits",
        label: "Limits",
        value: limitsText(key.limits),
        placeholder: `none; ${LIMITS_HINT}`,
        check: checkLimits,
      },
    ],
    submitLabel: "Save",
    submit: async (values) => {
      await update(context, key, values);
      context.toast({ text: `${values["name"] ?? ""} is saved`, tone: "ok" });
      refresh();
    },
  });
}

function list(name: string, label: string, value: readonly string[], placeholder: string) {
  return { kind: "text", name, label, value: value.join(", "), placeholder } as const;
}

async function update(context: ViewContext, key: ClientKey, values: FieldValues): Promise<void> {
  await context.api.clientKeys.updateClientKey({
    id: key.id,
    updateMask: { paths: EDITED_FIELDS },
    expectedVersion: key.version,
    name: values["name"] ?? "",
    description: values["description"] ?? "",
    modelAllowlist: listOf(values["models"]),
    ipAllowlist: listOf(values["addresses"]),
    scopes: listOf(values["scopes"]),
    limits: parseLimits(values["limits"] ?? "") ?? {},
    ...expiryIn(context, values, key.expireTime),
  });
}
