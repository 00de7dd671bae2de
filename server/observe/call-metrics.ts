import {
  counter,
  each,
  gauge,
  histogram,
  one,
  type HistogramReading,
  type MetricFamily,
  type Sample,
} from "./metric.js";

/** Sums of all calls since the start of the process; the meter has them. */
export interface CallTotals {
  readonly sums: {
    readonly calls: number;
    readonly successes: number;
    readonly rateLimited: number;
    readonly callerErrors: number;
    readonly serverErrors: number;
    readonly aborted: number;
    readonly inputTokens: number;
    readonly outputTokens: number;
    readonly cacheReadTokens: number;
    readonly cacheWriteTokens: number;
    readonly reasoningTokens: number;
    readonly costMicros: number;
    readonly unpricedCalls: number;
    readonly failovers: number;
  };
  readonly latency: HistogramReading;
  readonly ttfb: HistogramReading;
  readonly errorsByCode: ReadonlyMap<string, number>;
  readonly attemptsByOutcome: ReadonlyMap<string, number>;
  readonly refusedByReason: ReadonlyMap<string, number>;
  readonly providers: readonly {
    readonly key: string;
    readonly calls: number;
    readonly successes: number;
    readonly inputTokens: number;
    readonly outputTokens: number;
    readonly costMicros: number;
  }[];
}

export interface CallMetricsSource {
  readonly totals: () => CallTotals;
  readonly inflight: () => number;
  /** What a provider is called in labels, e.g. its slug. */
  readonly providerName: (providerId: string) => string;
}

const MICROS = 1_000_000;

/** Metrics of calls. Labels name providers, outcomes and codes; never a key, an owner or a model. */
export function callMetrics(source: CallMetricsSource): readonly MetricFamily[] {
  const { totals, inflight } = source;
  const sums = (): CallTotals["sums"] => totals().sums;
  return [
    counter("latchkey_calls_total", "Calls that ended, by what the caller got.", () => {
      const { successes, rateLimited, callerErrors, serverErrors, aborted } = sums();
      return each("outcome", [
        ["success", successes],
        ["rate_limited", rateLimited],
        ["caller_error", callerErrors],
        ["server_error", serverErrors],
        ["aborted", aborted],
      ]);
    }),
    counter("latchkey_call_errors_total", "Calls that failed, by error code.", () =>
      each("code", totals().errorsByCode),
    ),
    counter(
      "latchkey_refused_requests_total",
      "Requests refused before any client key was known, by reason.",
      () => each("reason", totals().refusedByReason),
    ),
    gauge("latchkey_calls_in_flight", "Calls that have begun and not ended.", () =>
      one(inflight()),
    ),
    histogram(
      "latchkey_call_duration_seconds",
      "Time from a request's arrival to the last byte of its answer.",
      () => totals().latency,
    ),
    histogram(
      "latchkey_time_to_first_byte_seconds",
      "Time from a request's arrival to the first byte of its answer's body.",
      () => totals().ttfb,
    ),
    counter("latchkey_attempts_total", "Upstream attempts, by outcome.", () =>
      each(
        "outcome",
        [...totals().attemptsByOutcome].map(([name, value]) => [name.toLowerCase(), value]),
      ),
    ),
    counter(
      "latchkey_failovers_total",
      "Attempts that failed and were hidden from the caller by another one.",
      () => one(sums().failovers),
    ),
    ...tokenMetrics(sums),
    ...providerMetrics(source),
  ];
}

function tokenMetrics(sums: () => CallTotals["sums"]): readonly MetricFamily[] {
  return [
    counter(
      "latchkey_tokens_total",
      "LLM tokens; cache_read and cache_write are part of input, reasoning is part of output.",
      () => {
        const now = sums();
        return each("kind", [
          ["input", now.inputTokens],
          ["output", now.outputTokens],
          ["cache_read", now.cacheReadTokens],
          ["cache_write", now.cacheWriteTokens],
          ["reasoning", now.reasoningTokens],
        ]);
      },
    ),
    counter("latchkey_cost_dollars_total", "Cost of the priced calls, in US dollars.", () =>
      one(sums().costMicros / MICROS),
    ),
    counter("latchkey_unpriced_calls_total", "Calls whose cost is not known.", () =>
      one(sums().unpricedCalls),
    ),
  ];
}

function providerMetrics(source: CallMetricsSource): readonly MetricFamily[] {
  type Provider = CallTotals["providers"][number];
  const byProvider = (
    read: (provider: Provider) => readonly (readonly [string, string, number])[],
  ): readonly Sample[] =>
    source.totals().providers.flatMap((provider) =>
      read(provider).map(([label, name, value]) => ({
        value,
        labels: {
          provider: source.providerName(provider.key),
          ...(label === "" ? {} : { [label]: name }),
        },
      })),
    );
  return [
    counter("latchkey_provider_attempts_total", "Upstream attempts, by provider and result.", () =>
      byProvider(({ calls, successes }) => [
        ["result", "ok", successes],
        ["result", "failed", calls - successes],
      ]),
    ),
    counter("latchkey_provider_tokens_total", "LLM tokens, by provider.", () =>
      byProvider(({ inputTokens, outputTokens }) => [
        ["kind", "input", inputTokens],
        ["kind", "output", outputTokens],
      ]),
    ),
    counter("latchkey_provider_cost_dollars_total", "Cost of the priced calls, by provider.", () =>
      byProvider(({ costMicros }) => [["", "", costMicros / MICROS]]),
    ),
  ];
}
