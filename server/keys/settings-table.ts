import { invalidField } from "../core/fault.js";
import { UNLIMITED, type Budget, type Limits } from "../core/limits.js";
import { cleanLimits } from "./validate.js";

/** One setting that can be changed while the server runs. */
interface SettingSpec<T> {
  readonly fallback: T;
  /** Throws `invalid_argument` for a value that is not allowed. */
  readonly check: (field: string, value: unknown) => T;
}

function whole(fallback: number, min: number, max: number): SettingSpec<number> {
  return {
    fallback,
    check: (field, value) => {
      if (typeof value === "number" && Number.isInteger(value) && value >= min && value <= max) {
        return value;
      }
      throw invalidField(field, `must be a whole number from ${String(min)} to ${String(max)}`);
    },
  };
}

function flag(fallback: boolean): SettingSpec<boolean> {
  return {
    fallback,
    check: (field, value) => {
      if (typeof value === "boolean") return value;
      throw invalidField(field, "must be true or false");
    },
  };
}

function choice<const T extends string>(
  fallback: NoInfer<T>,
  ...values: readonly T[]
): SettingSpec<T> {
  return {
    fallback,
    check: (field, value) => {
      const known = values.find((each) => each === value);
      if (known !== undefined) return known;
      throw invalidField(field, `must be one of ${values.join(", ")}`);
    },
  };
}

function limits(): SettingSpec<Limits> {
  return {
    fallback: UNLIMITED,
    check: (field, value) => {
      if (!isLimits(value)) throw invalidField(field, "must be limits");
      return cleanLimits(field, value);
    },
  };
}

function isLimits(value: unknown): value is Limits {
  if (typeof value !== "object" || value === null) return false;
  const { requestsPerMinute, tokensPerMinute, concurrency, budgets } = value as Partial<Limits>;
  return (
    [requestsPerMinute, tokensPerMinute, concurrency].every(isAmount) &&
    Array.isArray(budgets) &&
    budgets.every(isBudget)
  );
}

function isBudget(value: unknown): value is Budget {
  if (typeof value !== "object" || value === null) return false;
  const { period, costMicros, tokens } = value as Partial<Budget>;
  const isPeriod = period === "DAY" || period === "WEEK" || period === "MONTH";
  return isPeriod && isAmount(costMicros) && isAmount(tokens);
}

function isAmount(value: unknown): value is number | null {
  return value === null || typeof value === "number";
}

/** What the server can be told while it runs; the row's id in the storage is the name here. */
export const SETTINGS = {
  registrationEnabled: flag(false),
  publicPoolEnabled: flag(true),
  sessionMinutes: whole(480, 5, 43_200),
  lockoutFailures: whole(5, 3, 100),
  lockoutMinutes: whole(15, 1, 1440),
  rotationDueDays: whole(90, 1, 3650),
  expiryNoticeDays: whole(7, 0, 365),
  /** 0 switches the health loop off. */
  healthCheckSeconds: whole(3600, 0, 604_800),
  /** 0 keeps calls for good. */
  callRetentionDays: whole(30, 0, 3650),
  minuteRollupDays: whole(7, 1, 3650),
  hourRollupDays: whole(90, 1, 3650),
  dayRollupDays: whole(1095, 1, 3650),
  storageFailurePolicy: choice("SERVE", "SERVE", "REFUSE"),
  durability: choice("RELAXED", "RELAXED", "STRICT"),
  abortedCallPolicy: choice("OBSERVED", "OBSERVED", "RESERVED", "NOTHING"),
  queueTimeoutMs: whole(5000, 0, 60_000),
  /** Limits of client keys that are made without any. */
  defaultClientKeyLimits: limits(),
  /** Limits of all client keys together. */
  serverLimits: limits(),
} as const;

export type SettingName = keyof typeof SETTINGS;

/** All settings with the types of their values. */
export type SettingValues = {
  readonly [K in SettingName]: ReturnType<(typeof SETTINGS)[K]["check"]>;
};

export const SETTING_NAMES: readonly SettingName[] = Object.keys(SETTINGS).filter(isSettingName);

export function isSettingName(name: string): name is SettingName {
  return Object.hasOwn(SETTINGS, name);
}
