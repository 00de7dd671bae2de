import type { Migration } from "../migrate.js";

/** Totals of a provider's models: adding up its combinations with every client key took too long. */
export const pairs: Migration = {
  version: 7,
  name: "pairs",
  statements: () => [
    ...slices(8, DAY_MS).map((range) => takeOver("minute", `${range} AND bucket_ms < ${FOLDED}`)),
    ...slices(20, 5 * DAY_MS).map((range) => takeOver("hour", range)),
    takeOver("day", "true"),
  ],
};

const DAY_MS = 86_400_000;
const FOLDED = "(SELECT folded_until_ms FROM ledger_state)";

/** Conditions that cut all time, the newest first, so that no statement has to hold millions of roll-ups in memory. */
function slices(count: number, lengthMs: number): readonly string[] {
  const before = (slice: number): string => `${FOLDED} - ${slice * lengthMs}`;
  return Array.from({ length: count }, (_, slice) => {
    const from = slice === count - 1 ? [] : [`bucket_ms >= ${before(slice + 1)}`];
    const until = slice === 0 ? [] : [`bucket_ms < ${before(slice)}`];
    return [...from, ...until].join(" AND ");
  });
}

const COUNTERS = [
  "calls",
  "errors",
  "input_tokens",
  "output_tokens",
  "cache_read_tokens",
  "cache_write_tokens",
  "reasoning_tokens",
  "cost_micros",
  "unpriced_calls",
  "latency_sum_ms",
  "timed_calls",
  "request_bytes",
  "response_bytes",
];

function takeOver(suffix: string, condition: string): string {
  return `INSERT INTO totals_${suffix} (dimension, bucket_ms, ref, ${COUNTERS.join(", ")})
    SELECT 6, bucket_ms, provider_ref * 67108864 + model_ref AS ref, ${COUNTERS.map((name) => `sum(${name})`).join(", ")}
    FROM rollups_${suffix} JOIN usage_keys ON usage_keys.id = key_id WHERE ${condition}
    GROUP BY bucket_ms, ref`;
}
