import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { PoolCounts } from "../../proto/gen/latchkey/v1/pool_pb.js";
import type {
  Overview,
  OverviewError,
  OverviewProvider,
  OverviewTop,
} from "../../proto/gen/latchkey/v1/usage_pb.js";
import { clockTime, count, duration, money, percent, rate } from "../present/format.js";
import { providerMark, tierWord } from "../present/states.js";
import type { Painter, Span } from "../term/painter.js";
import { fit, safe, type Align } from "../term/safe.js";
import { stateMark, type StyleName } from "../term/theme.js";
import { barSpans, paintMeter } from "../widgets/meter.js";
import { paintPane } from "../widgets/pane.js";

/** Texts that may come from outside change their width when they are made safe. */
function cell(text: string, width: number, align?: Align): string {
  return fit(safe(text), width, align);
}

/** Cells of a meter's label, and the fewest for its bar. */
const METER_LABEL = 10;
const POOL_BAR_MIN = 6;

export type TopGroup = "keys" | "models" | "users";

/** How many keys of each tier can be used, and why the others cannot. */
export function paintPool(painter: Painter, overview: Overview, nowMs: number): void {
  const inner = paintPane(painter, {
    title: overview.own ? "Your provider keys by tier" : "Pool health by tier",
  });
  const { pool } = overview;
  const rows = [
    ...(pool?.tiers ?? []).map(({ tier, counts }) => ({ label: tierWord(tier), counts })),
    { label: overview.own ? "donated" : "public", counts: pool?.publicPool },
  ].flatMap(({ label, counts }) => (counts === undefined ? [] : [{ label, counts }]));
  const longest = Math.max(7, ...rows.map(({ counts }) => countsText(counts).length));
  const textWidth = Math.min(longest, Math.max(7, inner.width - METER_LABEL - POOL_BAR_MIN));
  rows.forEach((row, i) => paintCounts(inner, i, { ...row, textWidth }));
  let y = rows.length;
  for (const line of spendLines(overview.spend)) {
    inner.text(0, y, line, "muted");
    y += 1;
  }
  const next = overview.nextCooldown?.endTime;
  if (next !== undefined) {
    const left = Math.max(0, timestampMs(next) - nowMs);
    inner.text(0, y, `next cooldown ends in ${duration(left)}`, "muted");
  }
}

function spendLines(spend: Overview["spend"]): readonly string[] {
  if (spend === undefined) return [];
  const today = spendText(spend.todayMicros, spend.todayBudgetMicros);
  const month = spendText(spend.monthMicros, spend.monthBudgetMicros);
  return [`spend today       ${today}`, `spend this month  ${month}`];
}

/** What was spent, of the budget where there is one. */
function spendText(micros: bigint, budgetMicros: bigint): string {
  return budgetMicros > 0n ? `${money(micros)}/${money(budgetMicros)}` : money(micros);
}

/** A meter a tier; all leave the same room for what is said of them. */
function paintCounts(
  painter: Painter,
  y: number,
  row: { readonly label: string; readonly counts: PoolCounts; readonly textWidth: number },
): void {
  const { label, counts, textWidth } = row;
  paintMeter(painter.within({ x: 0, y, width: painter.width, height: 1 }), {
    label,
    value: counts.eligible,
    max: Math.max(1, counts.total),
    text: countsText(counts),
    style: poolStyle(counts),
    textWidth,
  });
}

function countsText(counts: PoolCounts): string {
  const troubles = [
    counts.cooldown > 0 ? `${counts.cooldown} cooling` : "",
    counts.exhausted > 0 ? `${counts.exhausted} quota` : "",
    counts.invalid > 0 ? `${counts.invalid} invalid` : "",
    counts.disabled > 0 ? `${counts.disabled} off` : "",
  ].filter((each) => each !== "");
  const text = `${counts.eligible}/${counts.total}`;
  return troubles.length === 0 ? text : `${text}  ${troubles.join(", ")}`;
}

function poolStyle(counts: PoolCounts): StyleName {
  if (counts.total === 0) return "muted";
  if (counts.eligible === 0) return "danger";
  return counts.eligible < counts.total ? "warn" : "ok";
}

/** Beyond it, what is to be compared stands too far from the name. */
const NAME_CELLS_MAX = 40;

interface ProviderColumn {
  readonly title: string;
  readonly width: number;
  readonly align?: "right";
  readonly cell: (row: OverviewProvider) => string;
}

const PROVIDER_COLUMNS: readonly ProviderColumn[] = [
  { title: "PROVIDER", width: 14, cell: (row) => row.displayName },
  {
    title: "KEYS",
    width: 6,
    align: "right",
    cell: ({ eligibleKeys: eligible, totalKeys: total }) =>
      total < 1000 ? `${eligible}/${total}` : count(eligible),
  },
  { title: "REQ/S", width: 6, align: "right", cell: (row) => rate(row.requestsPerSecond) },
  { title: "OK", width: 7, align: "right", cell: (row) => percent(row.successRatio) },
  { title: "P50", width: 6, align: "right", cell: (row) => duration(row.latencyP50Ms) },
  { title: "P95", width: 6, align: "right", cell: (row) => duration(row.latencyP95Ms) },
  {
    title: "TOK/MIN",
    width: 8,
    align: "right",
    cell: (row) => count(Math.round(row.tokensPerMinute)),
  },
  {
    title: "$/H",
    width: 7,
    align: "right",
    cell: (row) => money(Math.round(row.costPerHourMicros)),
  },
];

/** Providers by traffic, with their state as symbol and word. */
export function paintProviders(painter: Painter, overview: Overview): void {
  const inner = paintPane(painter, { title: "Providers", right: "sort: req/s" });
  const stateWidth = 11;
  const columns = PROVIDER_COLUMNS.filter((_, i) => {
    const used = PROVIDER_COLUMNS.slice(0, i + 1).reduce((sum, each) => sum + each.width + 1, 0);
    return used + stateWidth <= inner.width;
  });
  const used = columns.reduce((sum, { width }) => sum + width + 1, stateWidth);
  // What is free goes to the names.
  const widthOf = ({ width }: ProviderColumn, i: number): number =>
    i === 0 ? Math.min(NAME_CELLS_MAX, width + Math.max(0, inner.width - used)) : width;
  const head = columns
    .map((column, i) => fit(column.title, widthOf(column, i), column.align))
    .join(" ");
  inner.text(0, 0, `${head} STATE`, "header");
  if (overview.providers.length === 0) {
    inner.text(0, 2, "no provider has a key yet: press 2, then n", "muted");
  }
  overview.providers.slice(0, inner.height - 1).forEach((row, i) => {
    const mark = providerMark(row.state);
    const { glyph, style } = stateMark(mark.kind, inner.glyphs);
    const cells = columns.map((column, i) =>
      cell(column.cell(row), widthOf(column, i), column.align),
    );
    inner.spans(0, i + 1, [
      { text: `${cells.join(" ")} ` },
      { text: `${glyph} ${mark.word}`, style },
    ]);
  });
}

const TOP_TITLES: Readonly<Record<TopGroup, string>> = {
  keys: "Top client keys",
  models: "Top models",
  users: "Top users",
};

export function paintTop(painter: Painter, overview: Overview, group: TopGroup): void {
  const inner = paintPane(painter, { title: TOP_TITLES[group], right: "k: next" });
  const list = listOf(overview, group);
  const labelWidth = Math.max(8, Math.min(NAME_CELLS_MAX, inner.width - 22));
  const barWidth = Math.max(4, inner.width - labelWidth - 9);
  const line = (label: string, share: number, perSecond: number): Span[] => [
    { text: cell(label, labelWidth) },
    { text: " " },
    ...barSpans({ value: share, width: barWidth, style: "accent" }, inner.glyphs),
    { text: `${rate(perSecond).padStart(6)}/s`, style: "muted" },
  ];
  const rows = list?.rows ?? [];
  rows.slice(0, inner.height).forEach((row, i) => {
    inner.spans(0, i, line(row.label, row.share, row.requestsPerSecond));
  });
  const others = list?.others;
  if (others !== undefined && rows.length < inner.height) {
    const label = `(others ${list?.othersCount ?? 0})`;
    inner.spans(0, rows.length, line(label, others.share, others.requestsPerSecond));
  }
  if (rows.length === 0) inner.text(0, 0, "no calls in this window", "muted");
}

function listOf(overview: Overview, group: TopGroup): OverviewTop | undefined {
  if (group === "keys") return overview.topClientKeys;
  return group === "models" ? overview.topModels : overview.topUsers;
}

/** The newest calls with trouble, and what was done about it. */
export function paintErrors(painter: Painter, errors: readonly OverviewError[]): void {
  const inner = paintPane(painter, { title: "Errors, newest first" });
  if (errors.length === 0) {
    inner.text(0, 0, "none", "muted");
    return;
  }
  errors.slice(0, inner.height).forEach((error, i) => {
    inner.spans(0, i, errorSpans(error, inner.width));
  });
}

function errorSpans(error: OverviewError, width: number): Span[] {
  const time = error.time === undefined ? "" : clockTime(timestampMs(error.time));
  const status = error.httpStatus === 0 ? "---" : String(error.httpStatus);
  const isWide = width >= 100;
  const how: StyleName = error.recovered ? "ok" : "muted";
  return [
    { text: `${time} `, style: "muted" },
    { text: `${status} `, style: error.recovered ? "warn" : "danger" },
    { text: `${cell(error.providerSlug || "-", 10)} ` },
    { text: `${cell(error.errorCode, isWide ? 22 : 14)} ` },
    { text: `${cell(error.providerKeyName, 12)} `, style: "muted" },
    // Whose call it was and of which model must not fall off the end of a long sentence.
    { text: isWide ? `${cell(error.action, width - 92)}  ` : `${error.action}  `, style: how },
    { text: `${cell(error.clientKeyName, 12)}  ${error.model}`, style: "muted" },
  ];
}
