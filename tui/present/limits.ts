import {
  Period,
  type Budget,
  type BudgetUsage,
  type Limits,
} from "../../proto/gen/latchkey/v1/common_pb.js";
import { count, money } from "./format.js";

interface BudgetInit {
  readonly period: Period;
  readonly requests?: bigint;
  readonly tokens?: bigint;
  readonly costMicros?: bigint;
}

/** Limits as a request takes them. */
export interface LimitsInit {
  readonly requestsPerMinute?: number;
  readonly tokensPerMinute?: bigint;
  readonly concurrency?: number;
  readonly budgets: BudgetInit[];
}

/** What people may write for limits, as short as a field of a form in eighty columns. */
export const LIMITS_HINT = "rpm=60,tpm=100000,month=$25,day=500000tokens";
/** The same with all there is, for messages. */
export const LIMITS_HELP = "rpm=60,tpm=100000,concurrency=4,month=$25,day=500000tokens";
/** The quota of a provider key, which is all that one is limited by. */
export const QUOTA_HINT = "month=$25,month=1000requests";
export const QUOTA_HELP = `${QUOTA_HINT}, of one period in calls, tokens or money`;

const PERIODS: Readonly<Record<string, Period>> = {
  day: Period.DAY,
  week: Period.WEEK,
  month: Period.MONTH,
};

/** Reads limits as people write them; undefined when the text is not such a list. */
export function parseLimits(text: string): LimitsInit | undefined {
  const budgets: BudgetInit[] = [];
  let limits: Omit<LimitsInit, "budgets"> = {};
  if (text.trim() === "") return { budgets };
  for (const part of text.split(",")) {
    const [name = "", value = ""] = part.trim().split("=", 2);
    const period = PERIODS[name];
    if (period === undefined) {
      const rate = parseRate(name, value);
      if (rate === undefined) return undefined;
      limits = { ...limits, ...rate };
      continue;
    }
    const budget = parseBudget(period, value);
    if (budget === undefined) return undefined;
    budgets.push(budget);
  }
  return { ...limits, budgets: merged(budgets) };
}

/** Limits in the form that `parseLimits` reads; empty when there are none. */
export function limitsText(limits: Limits | undefined): string {
  if (limits === undefined) return "";
  const parts = [
    limits.requestsPerMinute > 0 ? `rpm=${limits.requestsPerMinute}` : "",
    limits.tokensPerMinute > 0n ? `tpm=${limits.tokensPerMinute}` : "",
    limits.concurrency > 0 ? `concurrency=${limits.concurrency}` : "",
    ...limits.budgets.flatMap(budgetTexts),
  ];
  return parts.filter((part) => part !== "").join(",");
}

/** How far budgets are used: `$12.10/$50 this month`, one text each. */
export function budgetUse(usage: readonly BudgetUsage[]): string[] {
  return usage.flatMap(({ budget, requests, tokens, costMicros }) => {
    if (budget === undefined) return [];
    const name = periodName(budget.period);
    return [
      budget.costMicros > 0n ? `${money(costMicros)}/${money(budget.costMicros)} a ${name}` : "",
      budget.tokens > 0n ? `${count(tokens)}/${count(budget.tokens)} tokens a ${name}` : "",
      budget.requests > 0n ? `${count(requests)}/${count(budget.requests)} calls a ${name}` : "",
    ].filter((text) => text !== "");
  });
}

function parseRate(name: string, value: string): Omit<LimitsInit, "budgets"> | undefined {
  if (!/^\d{1,15}$/.test(value)) return undefined;
  if (name === "rpm") return { requestsPerMinute: Number(value) };
  if (name === "tpm") return { tokensPerMinute: BigInt(value) };
  return name === "concurrency" ? { concurrency: Number(value) } : undefined;
}

function parseBudget(period: Period, value: string): BudgetInit | undefined {
  const money = /^\$(\d{1,12}(?:\.\d{1,6})?)$/.exec(value);
  if (money?.[1] !== undefined) {
    return { period, costMicros: BigInt(Math.round(Number(money[1]) * 1_000_000)) };
  }
  const amount = /^(\d{1,15})(tokens|requests)$/.exec(value);
  if (amount?.[1] === undefined) return undefined;
  const number = BigInt(amount[1]);
  return amount[2] === "tokens" ? { period, tokens: number } : { period, requests: number };
}

/** One entry for each period, as the API wants it. */
function merged(budgets: readonly BudgetInit[]): BudgetInit[] {
  const byPeriod = new Map<Period, BudgetInit>();
  for (const budget of budgets) {
    byPeriod.set(budget.period, { ...byPeriod.get(budget.period), ...budget });
  }
  return [...byPeriod.values()];
}

function budgetTexts(budget: Budget): string[] {
  const name = periodName(budget.period);
  return [
    budget.costMicros > 0n ? `${name}=$${Number(budget.costMicros) / 1e6}` : "",
    budget.tokens > 0n ? `${name}=${budget.tokens}tokens` : "",
    budget.requests > 0n ? `${name}=${budget.requests}requests` : "",
  ];
}

function periodName(period: Period): string {
  return Object.keys(PERIODS).find((name) => PERIODS[name] === period) ?? String(period);
}
