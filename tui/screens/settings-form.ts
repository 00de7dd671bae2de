import {
  Settings_AbortedCallPolicy,
  Settings_Durability,
  Settings_StorageFailurePolicy,
  type Settings,
  type UpdateSettingsRequest,
} from "../../proto/gen/latchkey/v1/system_pb.js";
import { LIMITS_HINT, limitsText, parseLimits } from "../present/limits.js";
import type { Field, FieldValues } from "../widgets/form-fields.js";
import { checkLimits } from "./form-values.js";
import { askFirst } from "./ask-first.js";
import { openForm } from "./form-modal.js";
import type { ViewContext } from "./view.js";

/** A setting that is a whole number, with what it counts. */
type NumberSetting = readonly [name: keyof Settings & keyof UpdateSettingsRequest, label: string];

const NUMBERS: readonly NumberSetting[] = [
  ["sessionMinutes", "Session min"],
  ["lockoutFailures", "Lockout after"],
  ["lockoutMinutes", "Lockout min"],
  ["rotationDueDays", "Rotate after d"],
  ["expiryNoticeDays", "Expiry notice d"],
  ["healthCheckSeconds", "Health check s"],
  ["callRetentionDays", "Keep calls d"],
  ["minuteRollupDays", "Keep minutes d"],
  ["hourRollupDays", "Keep hours d"],
  ["dayRollupDays", "Keep days d"],
  ["queueTimeoutMs", "Wait in line ms"],
];

const STORAGE_FAILURE = [
  { value: String(Settings_StorageFailurePolicy.SERVE), label: "serve on and count what is lost" },
  { value: String(Settings_StorageFailurePolicy.REFUSE), label: "refuse calls until it works" },
];

const DURABILITY = [
  { value: String(Settings_Durability.RELAXED), label: "on the disk within 50 ms" },
  { value: String(Settings_Durability.STRICT), label: "on the disk before its last byte" },
];

const ABORTED_CALL = [
  { value: String(Settings_AbortedCallPolicy.OBSERVED), label: "costs what was seen" },
  { value: String(Settings_AbortedCallPolicy.RESERVED), label: "costs what was set aside" },
  { value: String(Settings_AbortedCallPolicy.NOTHING), label: "costs nothing" },
];

const TITLE = "Settings, in force at once";

/** Opens the form for all settings. */
export function openSettingsForm(context: ViewContext, refresh: () => void): void {
  askFirst(context, {
    title: TITLE,
    permission: "system.get_settings",
    ask: (signal) => context.api.system.getSettings({}, { signal }),
    open: ({ settings }) => {
      if (settings !== undefined) open(context, settings, refresh);
    },
  });
}

function open(context: ViewContext, settings: Settings, refresh: () => void): void {
  const fields = fieldsOf(settings);
  openForm(context, {
    title: TITLE,
    permission: "system.update_settings",
    fields,
    submitLabel: "Save",
    submit: async (values) => {
      // What others have changed meanwhile stays.
      const paths = changedIn(fields, values);
      if (paths.length === 0) return;
      await context.api.system.updateSettings({ updateMask: { paths }, ...valuesOf(values) });
      context.toast({ text: "the settings are saved", tone: "ok" });
      refresh();
    },
  });
}

function fieldsOf(settings: Settings): readonly Field[] {
  return [
    toggle("registration_enabled", "Registration", settings.registrationEnabled, "for anybody"),
    toggle("public_pool_enabled", "Public pool", settings.publicPoolEnabled, "for super keys"),
    choice(
      "storage_failure_policy",
      "If disk fails",
      STORAGE_FAILURE,
      settings.storageFailurePolicy,
    ),
    choice("durability", "Call's record", DURABILITY, settings.durability),
    choice("aborted_call_policy", "Cut-off call", ABORTED_CALL, settings.abortedCallPolicy),
    limits("server_limits", "Server limits", settings.serverLimits),
    limits("default_client_key_limits", "New keys get", settings.defaultClientKeyLimits),
    ...NUMBERS.map(([name, label]): Field => ({
      kind: "number",
      name: snake(name),
      label,
      value: String(settings[name]),
      width: 8,
      check: (value) => (/^\d{1,7}$/.test(value) ? undefined : "a whole number"),
    })),
  ];
}

function toggle(name: string, label: string, value: boolean, note: string): Field {
  return { kind: "toggle", name, label, value: String(value), note: () => note };
}

function choice(
  name: string,
  label: string,
  choices: readonly { readonly value: string; readonly label: string }[],
  value: number,
): Field {
  return { kind: "select", name, label, choices, value: String(value) };
}

function limits(name: string, label: string, value: Settings["serverLimits"]): Field {
  return {
    kind: "text",
    name,
    label,
    value: limitsText(value),
    placeholder: `none; ${LIMITS_HINT}`,
    check: checkLimits,
  };
}

function valuesOf(values: FieldValues) {
  const limitsIn = (name: string) => parseLimits(values[name] ?? "") ?? { budgets: [] };
  return {
    registrationEnabled: values["registration_enabled"] === "true",
    publicPoolEnabled: values["public_pool_enabled"] === "true",
    storageFailurePolicy: Number(values["storage_failure_policy"]) as Settings_StorageFailurePolicy,
    durability: Number(values["durability"]) as Settings_Durability,
    abortedCallPolicy: Number(values["aborted_call_policy"]) as Settings_AbortedCallPolicy,
    serverLimits: limitsIn("server_limits"),
    defaultClientKeyLimits: limitsIn("default_client_key_limits"),
    ...Object.fromEntries(
      NUMBERS.map(([name]) => [name, amountOf(name, values[snake(name)] ?? "")]),
    ),
  };
}

function amountOf(name: NumberSetting[0], text: string): number | bigint {
  return name === "queueTimeoutMs" ? BigInt(text) : Number(text);
}

function changedIn(fields: readonly Field[], values: FieldValues): string[] {
  const changed = fields.filter(({ name, value = "" }) => values[name] !== value);
  return changed.map(({ name }) => name);
}

/** `sessionMinutes` → `session_minutes`, the API's name of a setting. */
function snake(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
