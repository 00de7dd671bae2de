import { timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import {
  UsageGroup,
  UsageUnit,
  type GetBreakdownResponse,
  type GetTrendResponse,
  type UsageRow,
} from "../../proto/gen/latchkey/v1/usage_pb.js";
import type { UsageTotals } from "../../proto/gen/latchkey/v1/common_pb.js";
import { clockTime, count, duration, money, percent } from "../present/format.js";
import { Polled } from "../state/polled.js";
import { Keymap, type Binding } from "../term/keymap.js";
import type { Painter } from "../term/painter.js";
import { splitRows } from "../term/rect.js";
import { LineChart } from "../widgets/line-chart.js";
import { barSpans } from "../widgets/meter.js";
import { paintPane } from "../widgets/pane.js";
import { sparkline } from "../widgets/sparkline.js";
import { VirtualTable } from "../widgets/table.js";
import type { Column } from "../widgets/table-columns.js";
import type { View, ViewContext } from "./view.js";

const GROUP = "USAGE";
const REFRESH_MS = 10_000;
const HOUR_MS = 3_600_000;
const CHART_ROWS_MIN = 26;
const BUCKETS_MAX = 120;
const TREND_POINTS = 12;

const RANGES = [
  { key: "h", words: "1h", ms: HOUR_MS },
  { key: "d", words: "24h", ms: 24 * HOUR_MS },
  { key: "w", words: "7d", ms: 7 * 24 * HOUR_MS },
  { key: "m", words: "30d", ms: 30 * 24 * HOUR_MS },
] as const;

const GROUPS = [
  { group: UsageGroup.MODEL, word: "model" },
  { group: UsageGroup.PROVIDER, word: "provider" },
  { group: UsageGroup.PROVIDER_KEY, word: "provider key" },
  { group: UsageGroup.CLIENT_KEY, word: "client key" },
  { group: UsageGroup.USER, word: "user" },
] as const;

interface Unit {
  readonly unit: UsageUnit;
  readonly word: string;
  readonly read: (totals: UsageTotals) => number;
  readonly format: (value: number) => string;
}

const TOKENS: Unit = {
  unit: UsageUnit.TOKENS,
  word: "tokens",
  read: ({ tokens }) => Number(tokens?.input ?? 0n) + Number(tokens?.output ?? 0n),
  format: count,
};

const UNITS: readonly Unit[] = [
  TOKENS,
  {
    unit: UsageUnit.CALLS,
    word: "calls",
    read: ({ calls }) => Number(calls),
    format: count,
  },
  {
    unit: UsageUnit.COST,
    word: "cost",
    read: ({ costMicros }) => Number(costMicros),
    format: money,
  },
  {
    unit: UsageUnit.ERRORS,
    word: "errors",
    read: ({ errorCalls }) => Number(errorCalls),
    format: count,
  },
];

/** Calls of no group, e.g. those that were refused before a key was chosen. */
const NONE = "(none)";

interface Answer {
  readonly trend: GetTrendResponse;
  readonly breakdown: GetBreakdownResponse;
}

/** Screen 6: what was used over a past period, over time and by whom. */
export class UsageView implements View {
  readonly id = "usage";
  readonly title = "Usage";
  readonly short = "Usag";
  readonly filterHelp = "model=gpt-4o client_key=ci-bot provider=openai owner=alice";
  readonly keymaps: readonly Keymap[];
  readonly #context: ViewContext;
  readonly #polled: Polled<Answer>;
  readonly #chart = new LineChart();
  readonly #table: VirtualTable<UsageRow>;
  #filter = "";
  #range: (typeof RANGES)[number] = RANGES[1];
  #group = 0;
  #unit = 0;

  constructor(context: ViewContext) {
    this.#context = context;
    this.#polled = new Polled({
      fetch: (signal) => this.#fetch(signal),
      clock: context.clock,
      onChange: context.requestFrame,
      refreshMs: REFRESH_MS,
      paused: () => context.overview.paused,
    });
    this.#table = new VirtualTable<UsageRow>({
      columns: columnsOf(context, () => this.#unitNow),
      rowId: (row) => row.id || row.label,
      emptyText: "no calls in this period",
    });
    this.keymaps = [new Keymap(this.#bindings()), new Keymap(this.#table.bindings())];
  }

  get filter(): string {
    return this.#filter;
  }

  setFilter(filter: string): void {
    this.#filter = filter;
    this.#polled.reset();
  }

  open(): void {
    this.#polled.open();
  }

  close(): void {
    this.#polled.close();
  }

  refresh(): void {
    this.#polled.refresh();
  }

  paint(painter: Painter): void {
    const { value, error } = this.#polled;
    const withChart = painter.height >= CHART_ROWS_MIN;
    const [chart, table] = splitRows(painter.area, [
      withChart ? { share: 1, min: 10 } : 0,
      { share: 1 },
    ]);
    if (withChart && chart !== undefined) this.#paintChart(painter.within(chart), value?.trend);
    if (table === undefined) return;
    const ready = error === undefined || value !== undefined;
    this.#table.update({
      rows: rowsOf(value?.breakdown),
      state: !ready
        ? { kind: "error", message: error?.message ?? "" }
        : { kind: value === undefined ? "loading" : error === undefined ? "ready" : "stale" },
      focused: true,
      filter: this.#filter,
    });
    this.#table.paint(
      paintPane(painter.within(table), {
        title: `By ${this.#groupNow.word}, ${this.#range.words}`,
        right: totalsWords(value?.breakdown.totals),
        bottom: this.#table.positionLabel(),
        focused: true,
        padding: 0,
      }),
    );
  }

  get #unitNow(): Unit {
    return UNITS[this.#unit] ?? TOKENS;
  }

  get #groupNow(): (typeof GROUPS)[number] {
    return GROUPS[this.#group] ?? GROUPS[0];
  }

  async #fetch(signal: AbortSignal): Promise<Answer> {
    const { usage } = this.#context.api;
    const end = this.#context.clock.now();
    const question = {
      range: { startTime: timestampFromMs(end - this.#range.ms), endTime: timestampFromMs(end) },
      groupBy: this.#groupNow.group,
      rankBy: this.#unitNow.unit,
      filter: this.#filter,
    };
    const [trend, breakdown] = await Promise.all([
      usage.getTrend({ ...question, maxBuckets: BUCKETS_MAX, topN: 3 }, { signal }),
      usage.getBreakdown(
        { ...question, topN: 50, compare: true, trendPoints: TREND_POINTS },
        { signal },
      ),
    ]);
    return { trend, breakdown };
  }

  #paintChart(painter: Painter, trend: GetTrendResponse | undefined): void {
    const { word, read, format } = this.#unitNow;
    const inner = paintPane(painter, {
      title: `${word} by ${this.#groupNow.word}, ${this.#range.words}`,
      right:
        trend === undefined ? "" : `one point is ${duration(Number(trend.bucketSeconds) * 1000)}`,
    });
    // The table below says that it is on its way, or what went wrong.
    if (trend === undefined) return;
    const { series } = trend;
    this.#chart.update({
      format,
      labels: (series[0]?.buckets ?? []).map(({ startTime }) => this.#label(startTime)),
      series: series.map(({ label, others, buckets }) => ({
        name: others ? "others" : label || NONE,
        values: buckets.map(({ gap, totals }) =>
          gap || totals === undefined ? null : read(totals),
        ),
      })),
    });
    this.#chart.paint(inner);
  }

  #label(start: Parameters<typeof timestampMs>[0] | undefined): string {
    if (start === undefined) return "";
    const ms = timestampMs(start);
    const day = new Date(ms).toISOString().slice(5, 10);
    return this.#range.ms > 48 * HOUR_MS ? day : clockTime(ms).slice(0, 5);
  }

  #bindings(): readonly Binding[] {
    const ranges = RANGES.map((range) => ({
      keys: [range.key],
      action: `usage.range.${range.words}`,
      description: `the last ${range.words}`,
      group: GROUP,
      hint: range.words,
      run: () => this.#ask(() => (this.#range = range)),
    }));
    return [
      ...ranges,
      {
        keys: ["tab"],
        action: "usage.group",
        description: "group by model, provider, provider key, client key or user",
        group: GROUP,
        hint: "group",
        priority: 3,
        run: () => this.#ask(() => (this.#group = (this.#group + 1) % GROUPS.length)),
      },
      {
        keys: ["u"],
        action: "usage.unit",
        description: "measure tokens, calls, cost or errors",
        group: GROUP,
        hint: "unit",
        priority: 2,
        run: () => this.#ask(() => (this.#unit = (this.#unit + 1) % UNITS.length)),
      },
    ];
  }

  #ask(change: () => unknown): void {
    change();
    this.#polled.reset();
  }
}

function columnsOf({ glyphs }: ViewContext, unit: () => Unit): readonly Column<UsageRow>[] {
  const figure = (
    id: string,
    title: string,
    priority: number,
    read: (totals: UsageTotals) => string,
  ): Column<UsageRow> => ({
    id,
    title,
    width: 8,
    align: "right",
    priority,
    cell: ({ totals }) => (totals === undefined ? "-" : read(totals)),
  });
  return [
    {
      id: "label",
      title: "NAME",
      width: { min: 16, share: 2, max: 40 },
      cell: (row) => row.label || row.id || NONE,
    },
    figure("calls", "CALLS", 0, ({ calls }) => count(calls)),
    figure("input", "TOK IN", 1, ({ tokens }) => count(tokens?.input ?? 0n)),
    figure("output", "TOK OUT", 1, ({ tokens }) => count(tokens?.output ?? 0n)),
    figure("cached", "CACHED", 4, ({ tokens }) => count(tokens?.cacheRead ?? 0n)),
    figure("cost", "COST", 0, costWords),
    figure("ok", "OK", 2, ({ successRatio }) => percent(successRatio)),
    figure("latency", "AVG", 3, ({ averageLatencyMs }) => duration(averageLatencyMs)),
    {
      id: "share",
      title: "SHARE",
      width: 12,
      priority: 5,
      cell: (row) => barSpans({ value: row.share, width: 12 }, glyphs()),
    },
    {
      id: "trend",
      title: "TREND",
      width: TREND_POINTS,
      priority: 6,
      cell: (row) => ({
        text: sparkline(row.trend, { width: TREND_POINTS }, glyphs()),
        style: "accent",
      }),
    },
    {
      id: "change",
      title: "CHANGE",
      width: 7,
      align: "right",
      priority: 7,
      cell: ({ totals, previousTotals }) => changeWords(totals, previousTotals, unit()),
    },
  ];
}

function rowsOf(breakdown: GetBreakdownResponse | undefined): readonly UsageRow[] {
  if (breakdown === undefined) return [];
  const { rows, others, othersCount } = breakdown;
  if (others === undefined) return rows;
  return [...rows, { ...others, label: `(others ${othersCount})` }];
}

function changeWords(
  now: UsageTotals | undefined,
  before: UsageTotals | undefined,
  { read }: Unit,
): string {
  if (now === undefined || before === undefined) return "-";
  const was = read(before);
  if (was === 0) return read(now) === 0 ? "0%" : "new";
  const change = Math.round((read(now) / was - 1) * 100);
  return `${change > 0 ? "+" : ""}${change}%`;
}

function totalsWords(totals: UsageTotals | undefined): string {
  if (totals === undefined) return "";
  const tokens = (totals.tokens?.input ?? 0n) + (totals.tokens?.output ?? 0n);
  const unpriced = totals.unpricedCalls > 0n ? `, ${count(totals.unpricedCalls)} unpriced` : "";
  return `total ${count(tokens)} tokens, ${costWords(totals)}, ${count(totals.calls)} calls${unpriced}`;
}

/** A plus for what calls cost whose model has no price. */
function costWords({ costMicros, unpricedCalls }: UsageTotals): string {
  return unpricedCalls > 0n ? `${money(costMicros)}+` : money(costMicros);
}
