import type { Migration } from "../migrate.js";
import type { SqlDialect } from "../sql-dialect.js";

/** Roll-ups of one name at a time beside those of every combination, which are many times as many. */
export const totals: Migration = {
  version: 4,
  name: "totals",
  statements: (dialect) =>
    TABLES.flatMap(({ suffix, where }) => [
      createTable(dialect, suffix),
      // One name over a stretch of time.
      `CREATE INDEX totals_${suffix}_ref ON totals_${suffix} (dimension, ref, bucket_ms)`,
      ...DIMENSIONS.map(([dimension, ref]) => takeOver({ suffix, where, dimension, ref })),
    ]),
};

const TABLES = [
  // Minutes are counted by combination alone until they are taken over into hours and days.
  { suffix: "minute", where: "WHERE bucket_ms < (SELECT folded_until_ms FROM ledger_state)" },
  { suffix: "hour", where: "" },
  { suffix: "day", where: "" },
] as const;

const DIMENSIONS = [
  [0, "0"],
  [1, "model_ref"],
  [2, "provider_ref"],
  [3, "provider_key_ref"],
  [4, "client_key_ref"],
  [5, "owner_ref"],
] as const;

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

function createTable({ integer, clusteredTableEnd }: SqlDialect, suffix: string): string {
  return `CREATE TABLE totals_${suffix} (
    dimension ${integer} NOT NULL,
    bucket_ms ${integer} NOT NULL,
    ref ${integer} NOT NULL,
    ${COUNTERS.map((name) => `${name} ${integer} NOT NULL`).join(", ")},
    PRIMARY KEY (dimension, bucket_ms, ref)
  )${clusteredTableEnd}`;
}

function takeOver(from: { suffix: string; where: string; dimension: number; ref: string }): string {
  const { suffix, where, dimension, ref } = from;
  return `INSERT INTO totals_${suffix} (dimension, bucket_ms, ref, ${COUNTERS.join(", ")})
    SELECT ${dimension}, bucket_ms, ${ref} AS ref, ${COUNTERS.map((name) => `sum(${name})`).join(", ")}
    FROM rollups_${suffix} JOIN usage_keys ON usage_keys.id = key_id ${where}
    GROUP BY bucket_ms, ref`;
}
