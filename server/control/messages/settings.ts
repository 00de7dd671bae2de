import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  Settings_AbortedCallPolicy as Aborted,
  Settings_Durability as Durability,
  Settings_StorageFailurePolicy as StorageFailure,
  SettingsSchema,
  UpdateSettingsRequestSchema,
  type UpdateSettingsRequest,
} from "../../../proto/gen/latchkey/v1/system_pb.js";
import type { SettingValues } from "../../keys/settings-table.js";
import { patchOf, type FieldPatches } from "../field-mask.js";
import { limitsMessage, limitsOf } from "./limits.js";
import { int64, numberOf, refuse, wordOf, type EnumWords } from "./values.js";

const HEALTH_CHECK_SECONDS_MIN = 60;

const STORAGE_FAILURE_WORDS: EnumWords<
  typeof StorageFailure,
  SettingValues["storageFailurePolicy"]
> = { UNSPECIFIED: undefined, SERVE: "SERVE", REFUSE: "REFUSE" };

const DURABILITY_WORDS: EnumWords<typeof Durability, SettingValues["durability"]> = {
  UNSPECIFIED: undefined,
  RELAXED: "RELAXED",
  STRICT: "STRICT",
};

const ABORTED_WORDS: EnumWords<typeof Aborted, SettingValues["abortedCallPolicy"]> = {
  UNSPECIFIED: undefined,
  OBSERVED: "OBSERVED",
  RESERVED: "RESERVED",
  NOTHING: "NOTHING",
};

export function settingsMessage(values: SettingValues): MessageInitShape<typeof SettingsSchema> {
  const { storageFailurePolicy, durability, abortedCallPolicy, queueTimeoutMs, ...rest } = values;
  const { defaultClientKeyLimits, serverLimits, ...same } = rest;
  return {
    ...same,
    defaultClientKeyLimits: limitsMessage(defaultClientKeyLimits),
    serverLimits: limitsMessage(serverLimits),
    storageFailurePolicy: StorageFailure[storageFailurePolicy],
    durability: Durability[durability],
    abortedCallPolicy: Aborted[abortedCallPolicy],
    queueTimeoutMs: int64(queueTimeoutMs),
  };
}

/** What a request changes. A setting that the mask names and the request leaves out stays. Throws `invalid_argument`. */
export function settingsPatchOf(request: UpdateSettingsRequest): Partial<SettingValues> {
  refuse(
    "expected_version",
    request.expectedVersion !== 0n,
    "settings have no versions here; leave it out.",
  );
  const schemas = { request: UpdateSettingsRequestSchema, resource: SettingsSchema };
  return patchOf(schemas, request, PATCHES);
}

/** A setting whose type is the same on both sides. */
function same<K extends keyof SettingValues & keyof UpdateSettingsRequest>(name: K) {
  return (request: UpdateSettingsRequest): Partial<SettingValues> => {
    const value = request[name];
    return value === undefined ? {} : { [name]: value };
  };
}

const PATCHES: FieldPatches<UpdateSettingsRequest, SettingValues> = {
  registrationEnabled: same("registrationEnabled"),
  publicPoolEnabled: same("publicPoolEnabled"),
  sessionMinutes: same("sessionMinutes"),
  lockoutFailures: same("lockoutFailures"),
  lockoutMinutes: same("lockoutMinutes"),
  rotationDueDays: same("rotationDueDays"),
  expiryNoticeDays: same("expiryNoticeDays"),
  callRetentionDays: same("callRetentionDays"),
  minuteRollupDays: same("minuteRollupDays"),
  hourRollupDays: same("hourRollupDays"),
  dayRollupDays: same("dayRollupDays"),
  healthCheckSeconds: ({ healthCheckSeconds: seconds }) => {
    if (seconds === undefined) return {};
    return { healthCheckSeconds: seconds === 0 ? 0 : Math.max(HEALTH_CHECK_SECONDS_MIN, seconds) };
  },
  storageFailurePolicy: ({ storageFailurePolicy: asked = 0 }) => {
    const word = wordOf("storage_failure_policy", StorageFailure, STORAGE_FAILURE_WORDS, asked);
    return word === undefined ? {} : { storageFailurePolicy: word };
  },
  durability: ({ durability: asked = 0 }) => {
    const word = wordOf("durability", Durability, DURABILITY_WORDS, asked);
    return word === undefined ? {} : { durability: word };
  },
  abortedCallPolicy: ({ abortedCallPolicy: asked = 0 }) => {
    const word = wordOf("aborted_call_policy", Aborted, ABORTED_WORDS, asked);
    return word === undefined ? {} : { abortedCallPolicy: word };
  },
  queueTimeoutMs: ({ queueTimeoutMs: asked }) =>
    asked === undefined ? {} : { queueTimeoutMs: numberOf("queue_timeout_ms", asked) },
  defaultClientKeyLimits: ({ defaultClientKeyLimits: asked }) => ({
    defaultClientKeyLimits: limitsOf("default_client_key_limits", asked),
  }),
  serverLimits: ({ serverLimits: asked }) => ({ serverLimits: limitsOf("server_limits", asked) }),
};
