import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  Period as PeriodMessage,
  type Budget as BudgetMessage,
  type BudgetSchema,
  type Limits,
  type LimitsSchema,
} from "../../../proto/gen/latchkey/v1/common_pb.js";
import type { Budget, ClientKeyLimits } from "../../core/client-key.js";
import type { Period, Quota } from "../../core/provider-key.js";
import { amountOf, int64, refuse, wordOf, type EnumWords } from "./values.js";

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

/** Limits of a client key; 0 where it has none. */
export function clientKeyLimitsMessage(limits: ClientKeyLimits): LimitsInit {
  const { requestsPerMinute, tokensPerMinute, concurrency, budget } = limits;
  return {
    requestsPerMinute: requestsPerMinute ?? 0,
    tokensPerMinute: int64(tokensPerMinute ?? 0),
    concurrency: concurrency ?? 0,
    budgets: budget === null ? [] : [budgetMessage({ ...budget, requests: null })],
  };
}

/** Limits of a request for a client key. Throws `invalid_argument` for what a client key cannot have. */
export function clientKeyLimitsOf(field: string, limits: Limits | undefined): ClientKeyLimits {
  const requests = limits?.budgets[0]?.requests ?? 0n;
  refuse(
    `${field}.budgets[0].requests`,
    requests !== 0n,
    "a client key's budget counts tokens and cost; use requests_per_minute to limit its calls.",
  );
  const budget = oneBudgetOf(field, limits);
  return {
    requestsPerMinute: amountOf(`${field}.requests_per_minute`, limits?.requestsPerMinute ?? 0),
    tokensPerMinute: amountOf(`${field}.tokens_per_minute`, limits?.tokensPerMinute ?? 0n),
    concurrency: amountOf(`${field}.concurrency`, limits?.concurrency ?? 0),
    budget: budget === null ? null : withoutRequests(budget),
  };
}

/** A provider key's quota in the form of limits; unset where it has none. */
export function quotaMessage(quota: Quota | null): LimitsInit | undefined {
  return quota === null ? undefined : { budgets: [budgetMessage(quota)] };
}

/** Limits of a request for a provider key. Throws `invalid_argument` for what a provider key cannot have. */
export function quotaOf(field: string, limits: Limits | undefined): Quota | null {
  const why = "a provider key is limited by one budget; limit the client keys per minute instead.";
  refuse(`${field}.requests_per_minute`, (limits?.requestsPerMinute ?? 0) !== 0, why);
  refuse(`${field}.tokens_per_minute`, (limits?.tokensPerMinute ?? 0n) !== 0n, why);
  refuse(`${field}.concurrency`, (limits?.concurrency ?? 0) !== 0, why);
  return oneBudgetOf(field, limits);
}

function oneBudgetOf(field: string, limits: Limits | undefined): Quota | null {
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
