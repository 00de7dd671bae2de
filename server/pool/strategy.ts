import { invalidField } from "../core/fault.js";

/** How one key is chosen inside a tier. */
export type Strategy = "SCORE_BASED" | "ROUND_ROBIN" | "SEQUENTIAL" | "LEAST_BUSY" | "WEIGHTED";

export const STRATEGIES: readonly Strategy[] = [
  "SCORE_BASED",
  "ROUND_ROBIN",
  "SEQUENTIAL",
  "LEAST_BUSY",
  "WEIGHTED",
];

/** Which strategy holds where; settable while running. */
export interface Allocation {
  readonly strategy: Strategy;
  /** Overrides by provider id. */
  readonly perProvider: ReadonlyMap<string, Strategy>;
}

export const DEFAULT_ALLOCATION: Allocation = { strategy: "SCORE_BASED", perProvider: new Map() };

/** The setting that holds the allocation as JSON: `{"strategy":"ROUND_ROBIN","providers":{"prv_x":"SEQUENTIAL"}}`. */
export const ALLOCATION_SETTING = "pool.allocation";

/** Reads a strategy's name in either case, e.g. `score_based`. Throws Fault `invalid_argument`. */
export function parseStrategy(text: string): Strategy {
  const wanted = text.trim().toUpperCase();
  const found = STRATEGIES.find((strategy) => strategy === wanted);
  if (found !== undefined) return found;
  const known = STRATEGIES.map((strategy) => strategy.toLowerCase()).join(", ");
  throw invalidField("strategy", `"${text.slice(0, 40)}" is not one of ${known}`);
}

/** Reads the setting's value; an empty text is the default. Throws Fault `invalid_argument`. */
export function parseAllocation(text: string): Allocation {
  if (text.trim() === "") return DEFAULT_ALLOCATION;
  const value = parseRecord(text);
  const strategy = value["strategy"];
  const providers = value["providers"] ?? {};
  if (typeof providers !== "object" || providers === null || Array.isArray(providers)) {
    throw invalidField(
      ALLOCATION_SETTING,
      "providers must be an object of provider ids to strategies",
    );
  }
  const entries = Object.entries(providers as Record<string, unknown>);
  return {
    strategy:
      strategy === undefined ? DEFAULT_ALLOCATION.strategy : parseStrategy(String(strategy)),
    perProvider: new Map(entries.map(([id, name]) => [id, parseStrategy(String(name))])),
  };
}

/** The setting's value for an allocation. */
export function formatAllocation(allocation: Allocation): string {
  return JSON.stringify({
    strategy: allocation.strategy,
    providers: Object.fromEntries(allocation.perProvider),
  });
}

function parseRecord(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw invalidField(
      ALLOCATION_SETTING,
      `is not JSON: ${cause instanceof Error ? cause.message : "unreadable"}`,
    );
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw invalidField(ALLOCATION_SETTING, 'must be an object such as {"strategy": "SCORE_BASED"}');
  }
  return value as Record<string, unknown>;
}
