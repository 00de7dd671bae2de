import type { Condition, PageQuery } from "../../server/core/page.js";
import { ALL_USAGE, type UsageGroup } from "../../server/core/usage.js";
import type { UsageReports } from "../../server/metering/usage.js";
import type { Ledger } from "../../server/storage/ledger.js";
import { DAY_MS } from "../../server/core/durations.js";
import { clientKeyId, modelName, ownerId, providerId, providerKeyId } from "./made-calls.js";

/** How long an answer took, milliseconds, and how many rows it has. */
export interface Answer {
  readonly question: string;
  readonly firstMs: number;
  readonly medianMs: number;
  /** Of all times but the first, which reads what the system has not in memory. */
  readonly worstMs: number;
  /** Processor time of the median, which says what it would take on an idle machine. */
  readonly cpuMs: number;
  readonly rows: number;
}

interface Asked {
  readonly ledger: Ledger;
  readonly usage: UsageReports;
}

type Question = readonly [name: string, ask: () => Promise<number>];

const TIMES = 4;
const GROUPS = ["MODEL", "PROVIDER", "PROVIDER_KEY", "CLIENT_KEY", "OWNER"] as const;
const PERIODS = [
  ["1 h", DAY_MS / 24],
  ["24 h", DAY_MS],
  ["7 d", 7 * DAY_MS],
  ["30 d", 30 * DAY_MS],
] as const;

/** Asks every question whose name has `only` in it, some times over. */
export async function ask(asked: Asked, nowMs: number, only = ""): Promise<readonly Answer[]> {
  const answers: Answer[] = [];
  for (const [question, run] of questions(asked, nowMs)) {
    if (!question.includes(only)) continue;
    const took: number[] = [];
    const cpu: number[] = [];
    let rows = 0;
    for (let time = 0; time < TIMES; time++) {
      const beganMs = performance.now();
      const before = process.cpuUsage();
      rows = await run();
      took.push(performance.now() - beganMs);
      const { user, system } = process.cpuUsage(before);
      cpu.push((user + system) / 1000);
    }
    const [firstMs = 0, ...others] = took;
    process.stderr.write(`${question}: ${Math.round(median(others))} ms          \r`);
    answers.push({
      question,
      firstMs,
      medianMs: median(others),
      worstMs: Math.max(...others),
      cpuMs: median(cpu),
      rows,
    });
  }
  return answers;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
}

function questions(asked: Asked, nowMs: number): Question[] {
  return [...reports(asked, nowMs), ...details(asked, nowMs), ...lists(asked, nowMs)];
}

function reports({ usage }: Asked, nowMs: number): Question[] {
  return PERIODS.flatMap(([name, lengthMs]): Question[] => {
    const period = { fromMs: nowMs - lengthMs, toMs: nowMs };
    const trend = (groupBy: UsageGroup) => async () => {
      const found = await usage.trend({
        period,
        stepMs: 0,
        bucketsMax: 120,
        groupBy,
        topN: 5,
        rankBy: "COST",
        filter: ALL_USAGE,
        compare: true,
      });
      return found.series.length;
    };
    return [
      [`summary, ${name} and before`, async () => (await usage.summary(period, ALL_USAGE)) && 1],
      [`trend, ${name} and before`, trend("NONE")],
      ...GROUPS.map((group): Question => [`trend by ${group}, ${name}, top 5`, trend(group)]),
      ...GROUPS.map((groupBy): Question => [
        `breakdown by ${groupBy}, ${name}, top 10`,
        async () => {
          const by = { period, groupBy, topN: 10, rankBy: "TOKENS", filter: ALL_USAGE } as const;
          return (await usage.breakdown({ ...by, compare: true, trendPoints: 24 })).rows.length;
        },
      ]),
    ];
  });
}

/** What the pages of one record ask for. */
function details({ usage, ledger }: Asked, nowMs: number): Question[] {
  const period = { fromMs: nowMs - 30 * DAY_MS, toMs: nowMs };
  const filters = {
    "busiest client key": { ...ALL_USAGE, clientKeyId: clientKeyId(0) },
    "idlest client key": { ...ALL_USAGE, clientKeyId: clientKeyId(399) },
    "provider key": { ...ALL_USAGE, providerKeyId: providerKeyId(7) },
    owner: { ...ALL_USAGE, ownerId: ownerId(3) },
    provider: { ...ALL_USAGE, providerId: providerId(2) },
    model: { ...ALL_USAGE, model: modelName(7) },
  };
  return [
    ...[7, 30, 90].flatMap((days) =>
      [0, 399].map((number): Question => [
        `statistics of client key ${number}, ${days} d`,
        async () => (await usage.clientKeyStats(clientKeyId(number), days)).daily.length,
      ]),
    ),
    ...Object.entries(filters).map(([what, filter]): Question => [
      `summary of one ${what}, 30 d`,
      async () => (await usage.summary(period, filter)) && 1,
    ]),
    ...Object.entries(filters).map(([what, filter]): Question => [
      `breakdown of one ${what} by MODEL, 30 d`,
      async () => {
        const by = { period, groupBy: "MODEL", topN: 10, rankBy: "CALLS", filter } as const;
        return (await usage.breakdown({ ...by, compare: true, trendPoints: 24 })).rows.length;
      },
    ]),
    [
      "one call by its id",
      async () => {
        const [newest] = (await ledger.listCalls(page([]))).items;
        return (await ledger.getCall(newest?.id ?? "")) === undefined ? 0 : 1;
      },
    ],
  ];
}

/** Conditions on each column: some that most calls meet, some that few do, some that none does. */
function lists({ ledger }: Asked, nowMs: number): Question[] {
  const at = (daysAgo: number): string => String(nowMs - daysAgo * DAY_MS);
  const is = (field: string, value: string, op: Condition["op"] = "="): Condition[] => [
    { field, op, value },
  ];
  const filters: readonly (readonly [string, readonly Condition[], string?])[] = [
    ["all", []],
    ["busy client key", is("clientKeyId", clientKeyId(0))],
    ["idle client key", is("clientKeyId", clientKeyId(399))],
    ["client key by name", is("clientKey", "client 17")],
    ["no such client key", is("clientKeyId", "ck_none")],
    ["client key's name like", is("clientKey", "client 39", "~")],
    ["owner", is("ownerId", ownerId(3))],
    ["owner by name", is("owner", "user-3")],
    ["two owners", is("ownerId", `${ownerId(3)},${ownerId(4)}`)],
    ["provider key", is("providerKeyId", providerKeyId(7))],
    ["provider", is("provider", "provider-2")],
    ["provider and failed", [...is("provider", "provider-2"), ...is("status", "ERROR")]],
    ["model", is("model", modelName(7))],
    ["no such model", is("model", "no-such-model")],
    ["kind", is("clientKeyKind", "SUPER")],
    ["endpoint", is("endpoint", "/v1/responses")],
    ["dialect", is("dialect", "GEMINI")],
    ["streamed", is("streamed", "false")],
    ["failed", is("status", "ERROR")],
    ["http status", is("httpStatus", "502")],
    ["http status nobody got", is("httpStatus", "418")],
    ["error code", is("errorCode", "upstream_unreachable")],
    ["error message like", is("errorMessage", "reset", "~")],
    ["slow ones", is("latencyMs", "19900", ">")],
    ["late first byte", is("ttfbMs", "4900", ">")],
    ["many tokens", is("tokens", "20000", ">")],
    ["many input tokens", is("inputTokens", "19900", ">")],
    ["many output tokens", is("outputTokens", "1990", ">")],
    ["cached tokens", is("cacheReadTokens", "9900", ">")],
    ["dear ones", is("costMicros", "55000", ">")],
    ["unpriced", is("unpriced", "true")],
    ["usage source", is("usageSource", "ESTIMATED")],
    ["address", is("ip_address", "10.7.4.7")],
    ["several attempts", is("attemptCount", "1", ">")],
    ["since 1 d", is("time", at(1), ">")],
    ["one hour 30 d ago", [...is("time", at(30), ">="), ...is("time", at(29.96), "<")]],
    ["client key, day 40", [...is("clientKeyId", clientKeyId(50)), ...is("time", at(40), "<")]],
    ["failed of one key", [...is("clientKeyId", clientKeyId(9)), ...is("status", "ERROR")]],
    ["text that some have", [], "reset"],
    ["text that none has", [], "zzzzzz"],
  ];
  return [
    ...filters.flatMap(([name, conditions, text]) => pages(ledger, name, page(conditions, text))),
    ...["latencyMs", "costMicros", "tokens", "httpStatus"].flatMap((orderBy) =>
      pages(ledger, `by ${orderBy}`, { ...page([]), orderBy }),
    ),
    ...pages(ledger, "of an owner by latencyMs", {
      ...page(is("ownerId", ownerId(3))),
      orderBy: "latencyMs",
    }),
    ...pages(ledger, "text of an owner", page(is("ownerId", ownerId(5)), "zzzzzz")),
  ];
}

/** The first page and the one after. */
function pages(ledger: Ledger, name: string, query: PageQuery): Question[] {
  let pageToken = "";
  return [
    [
      `calls: ${name}`,
      async () => {
        const found = await ledger.listCalls(query);
        pageToken = found.nextPageToken;
        return found.items.length;
      },
    ],
    [
      `calls: ${name}, next page`,
      async () =>
        pageToken === "" ? 0 : (await ledger.listCalls({ ...query, pageToken })).items.length,
    ],
  ];
}

function page(conditions: readonly Condition[], text = ""): PageQuery {
  return { conditions, text, orderBy: "", descending: true, pageSize: 50, pageToken: "" };
}
