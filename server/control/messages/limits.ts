import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  Period as PeriodMessage,
  type Budget as BudgetMessage,
  type BudgetSchema,
  type BudgetUsageSchema,
  type Limits as LimitsMessage,
  type LimitsSchema,
} from "../../../proto/gen/latchkey/v1/common_pb.js";
import type { Budget, Limits } from "../../core/limits.js";
import { type Period, periodEnd, periodStart } from "../../core/period.js";
import type { Quota } from "../../core/provider-key.js";
import type { QuotaUse } from "../../pool/quota-meter.js";
import type { BudgetUse } from "../ports.js";
import { amountOf, int64, refuse, timeOf, wordOf, type EnumWords } from "./values.js";

type LimitsInit = MessageInitShape<typeof LimitsSchema>;

const PERIOD_MESSAGES: Record<Period, PeriodMessage> = {
  DAY: PeriodMessage.DAY,
  WEEK: PeriodMessage.WEEK,
  MONTH: PeriodMessage.MONTH,
};

const PERIODS: EnumWords<typeof PeriodMessage, Period> = {
  UNSPECIFIED: undefined,
  DAY: "DAY",
  WEEK: "WEEK",
  MONTH: "MONTH",
};

/** Limits of a client key or a user; 0 where there is none. */
export function limitsMessage(limits: Limits): LimitsInit {
  const { requestsPerMinute, tokensPerMinute, concurrency, budgets } = limits;
  return {
    requestsPerMinute: requestsPerMinute ?? 0,
    tokensPerMinute: int64(tokensPerMinute ?? 0),
    concurrency: concurrency ?? 0,
    budgets: budgets.map((budget) => budgetMessage({ ...budget, requests: null })),
  };
}

/** Limits of a request for a client key or a user. Throws `invalid_argument` for what they cannot have. */
export function limitsOf(field: string, limits: LimitsMessage | undefined): Limits {
  return {
    requestsPerMinute: amountOf(`${field}.requests_per_minute`, limits?.requestsPerMinute ?? 0),
    tokensPerMinute: amountOf(`${field}.tokens_per_minute`, limits?.tokensPerMinute ?? 0n),
    concurrency: amountOf(`${field}.concurrency`, limits?.concurrency ?? 0),
    budgets: (limits?.budgets ?? []).flatMap((budget, index) => {
      const name = `${field}.budgets[${index}]`;
      refuse(
        `${name}.requests`,
        budget.requests !== 0n,
        "this budget counts tokens and cost; use requests_per_minute to limit calls.",
      );
      const quota = budgetOf(name, budget);
      return quota === null ? [] : [withoutRequests(quota)];
    }),
  };
}

/** How far budgets are used. */
export function budgetUsageMessage(use: BudgetUse): MessageInitShape<typeof BudgetUsageSchema> {
  return {
    budget: budgetMessage({ ...use.budget, requests: null }),
    tokens: int64(use.tokens),
    costMicros: int64(use.costMicros),
    resetTime: timeOf(use.resetsAt),
  };
}

/** A provider key's quota in the form of limits; unset where it has none. */
export function quotaMessage(quota: Quota | null): LimitsInit | undefined {
  return quota === null ? undefined : { budgets: [budgetMessage(quota)] };
}

/** How far a provider key's quota is used; nothing where it has none, or where its use is not known. */
export function quotaUsageMessages(
  quota: Quota | null,
  use: QuotaUse | undefined,
  nowMs: number,
): MessageInitShape<typeof BudgetUsageSchema>[] {
  if (quota === null || use === undefined) return [];
  return [
    {
      budget: budgetMessage(quota),
      requests: int64(use.requests),
      tokens: int64(use.tokens),
      costMicros: int64(use.costMicros),
      resetTime: timeOf(periodEnd(quota.period, periodStart(quota.period, nowMs))),
    },
  ];
}

/** Limits of a request for a provider key. Throws `invalid_argument` for what a provider key cannot have. */
export function quotaOf(field: string, limits: LimitsMessage | undefined): Quota | null {
  const why = "a provider key is limited by one budget; limit the client keys per minute instead.";
  refuse(`${field}.requests_per_minute`, (limits?.requestsPerMinute ?? 0) !== 0, why);
  refuse(`${field}.tokens_per_minute`, (limits?.tokensPerMinute ?? 0n) !== 0n, why);
  refuse(`${field}.concurrency`, (limits?.concurrency ?? 0) !== 0, why);
  return oneBudgetOf(field, limits);
}

function oneBudgetOf(field: string, limits: LimitsMessage | undefined): Quota | null {
  const [budget, second] = limits?.budgets ?? [];
  refuse(
    `${field}.budgets`,
    second !== undefined,
    "this server keeps one budget for each key: choose the period that matters most.",
  );
  return budget === undefined ? null : budgetOf(`${field}.budgets[0]`, budget);
}

function budgetOf(field: string, budget: BudgetMessage): Quota | null {
  const period = wordOf(`${field}.period`, PeriodMessage, PERIODS, budget.period);
  if (period === undefined) return null;
  const quota = {
    period,
    requests: amountOf(`${field}.requests`, budget.requests),
    tokens: amountOf(`${field}.tokens`, budget.tokens),
    costMicros: amountOf(`${field}.cost_micros`, budget.costMicros),
  };
  const unlimited = quota.requests === null && quota.tokens === null && quota.costMicros === null;
  return unlimited ? null : quota;
}

function withoutRequests({ period, tokens, costMicros }: Quota): Budget {
  return { period, tokens, costMicros };
}

function budgetMessage(quota: Quota): MessageInitShape<typeof BudgetSchema> {
  return {
    period: PERIOD_MESSAGES[quota.period],
    requests: int64(quota.requests ?? 0),
    tokens: int64(quota.tokens ?? 0),
    costMicros: int64(quota.costMicros ?? 0),
  };
}
