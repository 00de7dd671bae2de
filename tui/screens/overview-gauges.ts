import type { Overview } from "../../proto/gen/latchkey/v1/usage_pb.js";
import { count, duration, money, percent, rate } from "../present/format.js";
import type { Painter, Span } from "../term/painter.js";
import type { StyleName } from "../term/theme.js";
import { barSpans } from "../widgets/meter.js";
import { paintPane } from "../widgets/pane.js";
import { sparkline } from "../widgets/sparkline.js";

/** Requests and tokens: a trend, a needle and the figure. */
export function paintTraffic(painter: Painter, overview: Overview): void {
  const inner = paintPane(painter, { title: `Traffic ${windowWords(overview)}` });
  const { gauges, limits } = overview;
  if (gauges === undefined || limits === undefined) return;
  const tokens = gauges.inputTokensPerMinute + gauges.outputTokensPerMinute;
  const bar = Math.max(6, Math.min(14, inner.width - 26));
  const { glyphs } = inner;
  inner.spans(0, 0, [
    { text: "req/s   ", style: "muted" },
    { text: rate(gauges.requestsPerSecond).padStart(6), style: "strong" },
    { text: " " },
    { text: sparkline(callsOf(overview), { width: bar }, glyphs), style: "accent" },
    { text: ` peak ${rate(gauges.requestsPerSecondPeak)}`, style: "muted" },
  ]);
  inner.spans(0, 1, [
    { text: "tok/min ", style: "muted" },
    { text: count(Math.round(tokens)).padStart(6), style: "strong" },
    { text: " " },
    ...barSpans(
      { value: tokens, max: limits.tokensPerMinute, width: bar, style: "accent" },
      glyphs,
    ),
    { text: ` ${count(Math.round(gauges.outputTokensPerMinute))} out`, style: "muted" },
  ]);
}

/** Success against its target, and what went wrong. */
export function paintQuality(painter: Painter, overview: Overview): void {
  const inner = paintPane(painter, { title: `Quality ${windowWords(overview)}` });
  const { gauges } = overview;
  if (gauges === undefined) return;
  inner.spans(0, 0, successSpans(overview, inner, Math.max(6, inner.width - 18)));
  inner.spans(0, 1, faultSpans(overview));
}

export function paintLatency(painter: Painter, overview: Overview): void {
  const { gauges } = overview;
  const flying = gauges?.inFlight ?? 0;
  const inner = paintPane(painter, {
    title: `Latency ${windowWords(overview)}`,
    right: `${flying} in flight`,
  });
  if (gauges === undefined) return;
  inner.spans(0, 0, [
    { text: "ttfb   p50 ", style: "muted" },
    { text: duration(gauges.timeToFirstByteP50Ms).padStart(6), style: "strong" },
    { text: "  p95 ", style: "muted" },
    { text: duration(gauges.timeToFirstByteP95Ms).padStart(6), style: "strong" },
  ]);
  inner.spans(0, 1, [
    { text: "total  p50 ", style: "muted" },
    { text: duration(gauges.latencyP50Ms).padStart(6), style: "strong" },
    { text: "  p95 ", style: "muted" },
    { text: duration(gauges.latencyP95Ms).padStart(6), style: latencyStyle(overview) },
  ]);
}

/** All gauges in three rows, for 80 columns. */
export function paintNarrowGauges(painter: Painter, overview: Overview): void {
  const { gauges } = overview;
  if (gauges === undefined) return;
  const tokens = gauges.inputTokensPerMinute + gauges.outputTokensPerMinute;
  painter.spans(1, 0, [
    { text: "req/s ", style: "muted" },
    { text: rate(gauges.requestsPerSecond).padEnd(6), style: "strong" },
    { text: sparkline(callsOf(overview), { width: 12 }, painter.glyphs), style: "accent" },
    { text: "  " },
    ...successSpans(overview, painter, 12),
  ]);
  painter.spans(1, 1, [
    { text: "tok/m ", style: "muted" },
    { text: count(Math.round(tokens)).padEnd(6), style: "strong" },
    { text: `${"".padEnd(12)}  ` },
    ...faultSpans(overview),
  ]);
  painter.spans(1, 2, [
    { text: "ttfb p50 ", style: "muted" },
    { text: duration(gauges.timeToFirstByteP50Ms), style: "strong" },
    { text: "  total p50 ", style: "muted" },
    { text: duration(gauges.latencyP50Ms), style: "strong" },
    { text: " p95 ", style: "muted" },
    { text: duration(gauges.latencyP95Ms), style: latencyStyle(overview) },
    {
      text: `  in flight ${gauges.inFlight}  today ${money(overview.spend?.todayMicros ?? 0n)}`,
      style: "muted",
    },
  ]);
}

/** The scale begins at 90 %: a full-looking bar for 93 % would hide trouble. */
function successSpans(overview: Overview, painter: Painter, width: number): Span[] {
  const ratio = overview.gauges?.successRatio;
  const style = successStyle(overview);
  // Whole numbers: 1 - 0.9 is a little less than 0.1, and a full bar must be full.
  const shown = ratio === undefined ? 0 : Math.max(0, Math.round(ratio * 10_000) - 9000);
  return [
    { text: "success ", style: "muted" },
    { text: percent(ratio).padStart(6), style },
    { text: " " },
    ...barSpans(
      { value: ratio === 1 ? 1000 : Math.min(shown, 999), max: 1000, width, style },
      painter.glyphs,
    ),
  ];
}

function faultSpans(overview: Overview): Span[] {
  const { gauges } = overview;
  return [
    { text: "429 ", style: "muted" },
    { text: short(gauges?.rateLimitedRatio), style: toneOf(gauges?.rateLimitedRatio) },
    { text: " 5xx ", style: "muted" },
    { text: short(gauges?.serverErrorRatio), style: toneOf(gauges?.serverErrorRatio) },
    { text: " 4xx ", style: "muted" },
    { text: short(gauges?.clientErrorRatio), style: toneOf(gauges?.clientErrorRatio) },
    { text: " cut ", style: "muted" },
    { text: short(gauges?.abortedRatio), style: "muted" },
  ];
}

/** Look of the success ratio against its targets. */
export function successStyle({ gauges, limits }: Overview): StyleName {
  const ratio = gauges?.successRatio;
  if (ratio === undefined || limits === undefined) return "muted";
  if (ratio >= limits.successRatioGood) return "ok";
  return ratio >= limits.successRatioBad ? "warn" : "danger";
}

function latencyStyle({ gauges, limits }: Overview): StyleName {
  const bad = limits?.latencyP95BadMs ?? Infinity;
  return (gauges?.latencyP95Ms ?? 0) > bad ? "danger" : "strong";
}

/** A share in at most four characters: four of them stand beside each other. */
function short(ratio: number | undefined): string {
  if (ratio === undefined || ratio < 0.0995) return percent(ratio);
  return `${Math.round(ratio * 100)}%`;
}

function toneOf(ratio: number | undefined): StyleName {
  if (ratio === undefined || ratio === 0) return "muted";
  return ratio < 0.01 ? "warn" : "danger";
}

function callsOf(overview: Overview): (number | null)[] {
  return overview.history.map((second) => (second.gap ? null : second.calls));
}

function windowWords(overview: Overview): string {
  return `${Math.round(overview.windowSeconds / 60)}m`;
}
