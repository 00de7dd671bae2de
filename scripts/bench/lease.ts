// `npm run bench -- lease`: what the decisions of a call cost, for pools of different sizes.
import { Catalog } from "../../server/catalog/catalog.js";
import { presetModels } from "../../server/catalog/preset-models.js";
import { presetProviders } from "../../server/catalog/presets.js";
import type { Principal } from "../../server/core/client-key.js";
import { systemClock } from "../../server/core/clock.js";
import { UNLIMITED, type Limits } from "../../server/core/limits.js";
import type { LeaseRequest, LeaseResult } from "../../server/core/lease.js";
import type { ProviderKey } from "../../server/core/provider-key.js";
import { systemRandom } from "../../server/core/random.js";
import { Limiter } from "../../server/limits/limiter.js";
import { DEFAULT_ALLOCATION, STRATEGIES, type Strategy } from "../../server/pool/allocation.js";
import { Pool } from "../../server/pool/pool.js";
import { aClientKey, aProviderKey } from "../../test/support/records.js";
import { SILENT } from "./ledger-rows.js";
import { numberOption, printTable } from "./table.js";

const USAGE = `npm run bench -- lease [--keys 10000 --rounds 300000]

CPU time of what is decided for each call: the model's route, its limits, and its provider key by each strategy, from
a pool of ten keys, from one of --keys, and from one of as many of which all but ten rest after a failure. What stands
under each other is measured in turn, a part of the rounds at a time; the median is shown.
`;
const KEYS_FEW = 10;
const CALLERS = 1_000;
const MODEL = "gpt-4o";
const WARM_UP_PART = 6;
/** Parts that the rounds of a measurement are done in. */
const TURNS = 30;
const ESTIMATE = { inputTokens: 10, maxOutputTokens: 10, costMicros: 1 };
const USED = { tokens: 15, costMicros: 1 };
const NO_KEYS: ReadonlySet<string> = new Set();
const ALL_LIMITS: Limits = {
  requestsPerMinute: 1e9,
  tokensPerMinute: 1e12,
  concurrency: 1e6,
  budgets: [{ period: "DAY", costMicros: 1e15, tokens: null }],
};

/** Runs the benchmark that `argv` describes and prints its table. */
export function main(argv: readonly string[]): void {
  if (argv.includes("--help")) {
    process.stdout.write(USAGE);
    return;
  }
  const many = numberOption(argv, "keys", 10_000);
  const rounds = numberOption(argv, "rounds", 300_000);
  const costs = (works: readonly Work[]): string[] =>
    mediansOf(works, rounds).map((micros) => micros.toFixed(2));
  const catalog = new Catalog({ clock: systemClock, logger: SILENT });
  catalog.load({
    providers: presetProviders(0),
    models: presetModels(),
    users: [],
    settings: new Map(),
  });
  const principal = callerOf("ck_1", UNLIMITED);
  const [routed, free = "", limited = ""] = costs([
    () => catalog.resolve(MODEL, principal),
    admissions("no limits", UNLIMITED),
    admissions("all limits", ALL_LIMITS),
  ]);
  const rows = [
    ["route of a known name", "", routed ?? ""],
    ["admit and settle", "no limits", free],
    ["admit and settle", "all limits", limited],
  ];
  const request: LeaseRequest = {
    principal,
    route: catalog.resolve(MODEL, principal),
    tried: NO_KEYS,
    affinity: "",
    home: "",
    endpoint: "/v1/chat/completions",
  };
  const pools = [
    { count: KEYS_FEW, resting: 0 },
    { count: many, resting: 0 },
    { count: many, resting: many - KEYS_FEW },
  ];
  for (const strategy of STRATEGIES) {
    const found = costs(
      pools.map(({ count, resting }) => leases(poolOf(count, strategy), request, resting)),
    );
    for (const [at, { count, resting }] of pools.entries()) {
      const keys = `${count} keys${resting > 0 ? `, ${resting} of them resting` : ""}`;
      rows.push([`lease, ${strategy.toLowerCase()}`, keys, found[at] ?? ""]);
    }
  }
  printTable(["", "", "µs"], rows);
}

type Work = (round: number) => void;

/** Microseconds of CPU for a round of each work, the median of turns. */
function mediansOf(works: readonly Work[], rounds: number): number[] {
  for (const work of works) microsOf(work, rounds / WARM_UP_PART);
  const turns = works.map((): number[] => []);
  for (let turn = 0; turn < TURNS; turn++) {
    for (const [at, work] of works.entries()) turns[at]?.push(microsOf(work, rounds / TURNS));
  }
  return turns.map((micros) => micros.toSorted((a, b) => a - b)[TURNS >> 1] ?? 0);
}

/** Microseconds of CPU for each round of a work. */
function microsOf(work: Work, rounds: number): number {
  const before = process.cpuUsage();
  for (let i = 0; i < rounds; i++) work(i);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / rounds;
}

function callerOf(id: string, limits: Limits): Principal {
  return { ownerId: "usr_1", clientKey: aClientKey(id, { kind: "SUPER", limits }) };
}

function admissions(name: string, limits: Limits): Work {
  const limiter = new Limiter({ clock: systemClock });
  const callers = Array.from({ length: CALLERS }, (_, i) => callerOf(`ck_${name}_${i}`, limits));
  return (round) => {
    const caller = callers[round % CALLERS];
    if (caller !== undefined) limiter.admit(caller, ESTIMATE, "OPENAI").settle(USED);
  };
}

function poolOf(count: number, strategy: Strategy): Pool {
  const pool = new Pool({
    clock: systemClock,
    random: systemRandom,
    logger: SILENT,
    inService: () => true,
    onHealthChange: () => undefined,
  });
  pool.load({ keys: Array.from({ length: count }, keyAt), users: [], providers: [] }, new Map());
  pool.setAllocation({ ...DEFAULT_ALLOCATION, strategy });
  return pool;
}

function keyAt(_: unknown, at: number): ProviderKey {
  return aProviderKey(`pk_${String(at).padStart(6, "0")}`, {
    ownerId: `usr_${at % 100}`,
    providerId: "prv_openai",
    weight: 1 + (at % 5),
  });
}

/** Calls that a key is leased for and that end well, once `resting` keys were limited for an hour. */
function leases(pool: Pool, request: LeaseRequest, resting: number): Work {
  for (let at = 0; at < resting; at++) {
    pool.lease(request).release(endOf("RATE_LIMITED", 3_600_000));
  }
  return () => {
    const lease = pool.lease(request);
    lease.release(endOf("OK", null));
    lease.settle(USED);
  };
}

function endOf(outcome: LeaseResult["outcome"], retryAfterMs: number | null): LeaseResult {
  return {
    outcome,
    httpStatus: outcome === "OK" ? 200 : 429,
    endedMs: systemClock.monotonic(),
    retryAfterMs,
    unsent: false,
    detail: "",
  };
}
