import type { Overview, OverviewSecond } from "../../proto/gen/latchkey/v1/usage_pb.js";
import { axisDuration, count } from "../present/format.js";
import type { ChartData } from "../widgets/chart-scale.js";

export type ChartSource = "latency" | "requests" | "tokens" | "errors";

/** What the chart can show, with the key that chooses it. */
export const CHART_SOURCES = [
  { id: "latency", key: "l", words: "latency" },
  { id: "requests", key: "r", words: "requests a second" },
  { id: "tokens", key: "t", words: "tokens a second" },
  { id: "errors", key: "e", words: "errors a second" },
] as const satisfies readonly { id: ChartSource; key: string; words: string }[];

type Series = readonly { name: string; read: (second: OverviewSecond) => number | undefined }[];

const SERIES: Readonly<
  Record<ChartSource, { title: string; series: Series; format: (value: number) => string }>
> = {
  latency: {
    title: "Latency",
    series: [
      { name: "p50", read: (second) => second.latencyP50Ms },
      { name: "p95", read: (second) => second.latencyP95Ms },
    ],
    format: axisDuration,
  },
  requests: {
    title: "Requests a second",
    series: [{ name: "req/s", read: (second) => second.calls }],
    format: count,
  },
  tokens: {
    title: "Tokens a second",
    series: [
      { name: "in", read: (second) => Number(second.inputTokens) },
      { name: "out", read: (second) => Number(second.outputTokens) },
    ],
    format: count,
  },
  errors: {
    title: "Errors a second",
    series: [
      { name: "errors", read: (second) => second.errors },
      { name: "429", read: (second) => second.rateLimited },
    ],
    format: count,
  },
};

/** The history as lines; a second without data is a gap, not zero. */
export function chartOf(overview: Overview, source: ChartSource): ChartData & { title: string } {
  const { title, series, format } = SERIES[source];
  const seconds = overview.history;
  return {
    title,
    format,
    labels: seconds.map((_, i) => `-${seconds.length - i}s`),
    series: series.map(({ name, read }) => ({
      name,
      values: seconds.map((second) => (second.gap ? null : (read(second) ?? null))),
    })),
  };
}
