import { DAY_MS } from "../core/durations.js";
import { type Fault, invalidField } from "../core/fault.js";
import { isRecord } from "../core/record.js";
import { DEFAULT_HEALTH_POLICY, type HealthPolicy } from "./health-policy.js";

/** How one key is chosen inside a tier. */
export type Strategy = (typeof STRATEGIES)[number];

export const STRATEGIES = [
  "SCORE_BASED",
  "ROUND_ROBIN",
  "SEQUENTIAL",
  "LEAST_BUSY",
  "WEIGHTED",
] as const;

/** How keys are chosen and judged; settable while running. */
export interface Allocation extends HealthPolicy {
  readonly strategy: Strategy;
  /** Overrides by provider id. */
  readonly perProvider: ReadonlyMap<string, Strategy>;
  /** Keeps calls of one session on the key that served it, for the provider's prompt cache. */
  readonly sessionAffinity: boolean;
  /** How long after the begin of a call's search for a key another attempt may begin; the gateway's to apply. */
  readonly failoverDeadlineMs: number;
}

export const DEFAULT_ALLOCATION: Allocation = {
  ...DEFAULT_HEALTH_POLICY,
  strategy: "SCORE_BASED",
  perProvider: new Map(),
  sessionAffinity: true,
  failoverDeadlineMs: 60_000,
};

/** How keys of a provider are chosen. */
export function strategyFor({ perProvider, strategy }: Allocation, providerId: string): Strategy {
  return perProvider.get(providerId) ?? strategy;
}

/** The setting that holds the allocation as JSON, e.g. `{"strategy":"ROUND_ROBIN","providers":{"prv_x":"SEQUENTIAL"}}`. */
export const ALLOCATION_SETTING = "pool.allocation";
/** The setting that closes the pool to super keys: `true` or `false`. */
export const PUBLIC_POOL_SETTING = "publicPoolEnabled";

const PROVIDERS_MAX = 200;
/** The numbers of the setting: least, most. */
const RANGES = {
  rateLimitCooldownMs: [100, DAY_MS],
  errorCooldownMs: [100, DAY_MS],
  failoverDeadlineMs: [100, 600_000],
  invalidAfterRefusals: [1, 100],
} as const;

/** Reads a strategy's name in either case, e.g. `score_based`. Throws Fault `invalid_argument`. */
export function parseStrategy(text: string): Strategy {
  const wanted = text.trim().toUpperCase();
  const found = STRATEGIES.find((strategy) => strategy === wanted);
  if (found !== undefined) return found;
  const known = STRATEGIES.map((strategy) => strategy.toLowerCase()).join(", ");
  throw invalidField("strategy", `"${text.slice(0, 40)}" is not one of ${known}`);
}

/** Reads the setting's value; what it leaves out has its default. Throws Fault `invalid_argument`. */
export function parseAllocation(text: string): Allocation {
  if (text.trim() === "") return DEFAULT_ALLOCATION;
  const value = parseRecord(text);
  const { strategy, providers = {}, sessionAffinity = DEFAULT_ALLOCATION.sessionAffinity } = value;
  if (!isRecord(providers) || Object.keys(providers).length > PROVIDERS_MAX) {
    throw invalidSetting(`providers must be an object of at most ${PROVIDERS_MAX} strategies`);
  }
  if (typeof sessionAffinity !== "boolean")
    throw invalidSetting("sessionAffinity must be true or false");
  return {
    strategy:
      strategy === undefined ? DEFAULT_ALLOCATION.strategy : parseStrategy(String(strategy)),
    perProvider: new Map(
      Object.entries(providers).map(([id, name]) => [id, parseStrategy(String(name))]),
    ),
    sessionAffinity,
    rateLimitCooldownMs: numberOf(value, "rateLimitCooldownMs"),
    errorCooldownMs: numberOf(value, "errorCooldownMs"),
    failoverDeadlineMs: numberOf(value, "failoverDeadlineMs"),
    invalidAfterRefusals: numberOf(value, "invalidAfterRefusals"),
  };
}

/** The setting's value for an allocation. */
export function formatAllocation(allocation: Allocation): string {
  const { perProvider, ...rest } = allocation;
  return JSON.stringify({ ...rest, providers: Object.fromEntries(perProvider) });
}

interface AllocationDocument {
  readonly strategy?: unknown;
  readonly providers?: unknown;
  readonly sessionAffinity?: unknown;
  readonly rateLimitCooldownMs?: unknown;
  readonly errorCooldownMs?: unknown;
  readonly failoverDeadlineMs?: unknown;
  readonly invalidAfterRefusals?: unknown;
}

function numberOf(value: AllocationDocument, name: keyof typeof RANGES): number {
  const given = value[name] ?? DEFAULT_ALLOCATION[name];
  const [least, most] = RANGES[name];
  if (typeof given === "number" && given >= least && given <= most) return given;
  throw invalidSetting(`${name} must be a number from ${least} to ${most}`);
}

function parseRecord(text: string): AllocationDocument {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw invalidSetting(`is not JSON: ${cause instanceof Error ? cause.message : "unreadable"}`);
  }
  if (isRecord(value)) return value;
  throw invalidSetting('must be an object such as {"strategy": "SCORE_BASED"}');
}

function invalidSetting(message: string): Fault {
  return invalidField(ALLOCATION_SETTING, message);
}
