import {
  VaultStatus_StateSchema,
  type GetStatusResponse,
} from "../../proto/gen/latchkey/v1/system_pb.js";
import type { Overview, OverviewGauges } from "../../proto/gen/latchkey/v1/usage_pb.js";
import { safe } from "../term/safe.js";
import { enumWord } from "./enum-word.js";
import { count, duration, money, percent, rate } from "./format.js";
import { providerMark, tierWord } from "./states.js";

/** One look at the server as plain lines, each with a label that scripts can grep for. */
export function statusText(
  status: GetStatusResponse,
  overview: Overview | undefined,
  nowMs: number,
): string {
  const vault = status.vault;
  const lines = [
    [
      "server",
      `${status.nodeId} ${status.version}, up ${duration(Number(status.uptimeSeconds) * 1000)}`,
    ],
    ["vault", vault === undefined ? "-" : enumWord(VaultStatus_StateSchema, vault.state)],
    ...(overview === undefined ? [] : overviewLines(overview)),
    ...status.warnings.map(({ code, message }) => ["warning", `${code}: ${message}`]),
    ["time", new Date(nowMs).toISOString()],
  ];
  const width = Math.max(...lines.map(([label = ""]) => label.length));
  return lines.map(([label = "", text = ""]) => `${label.padEnd(width)}  ${safe(text)}\n`).join("");
}

function overviewLines(overview: Overview): string[][] {
  const { gauges, pool, spend, providers } = overview;
  return [
    ...(gauges === undefined ? [] : gaugeLines(gauges, overview.windowSeconds)),
    ...(spend === undefined
      ? []
      : [["spend", `${money(spend.todayMicros)} today, ${money(spend.monthMicros)} this month`]]),
    ...(pool?.tiers ?? []).map(({ tier, counts }) => [
      `pool ${tierWord(tier)}`,
      `${counts?.eligible ?? 0}/${counts?.total ?? 0} eligible`,
    ]),
    ...providers.map((provider) => [
      `provider ${provider.providerSlug}`,
      `${providerMark(provider.state).word}, ${provider.eligibleKeys}/${provider.totalKeys} keys, ${rate(provider.requestsPerSecond)}/s, ok ${percent(provider.successRatio)}`,
    ]),
  ];
}

function gaugeLines(gauges: OverviewGauges, windowSeconds: number): string[][] {
  const input = count(Math.round(gauges.inputTokensPerMinute));
  const output = count(Math.round(gauges.outputTokensPerMinute));
  return [
    [
      "requests",
      `${rate(gauges.requestsPerSecond)}/s over ${windowSeconds} s, ${gauges.inFlight} in flight`,
    ],
    ["tokens", `${input}/min in, ${output}/min out`],
    [
      "success",
      `${percent(gauges.successRatio)}, 429 ${percent(gauges.rateLimitedRatio)}, 5xx ${percent(gauges.serverErrorRatio)}`,
    ],
    ["latency", `p50 ${duration(gauges.latencyP50Ms)}, p95 ${duration(gauges.latencyP95Ms)}`],
  ];
}
