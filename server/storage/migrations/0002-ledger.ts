import type { Migration } from "../migrate.js";
import type { SqlDialect } from "../sql-dialect.js";

/** Calls, their roll-ups, and the place in the journal up to which they are here. */
export const ledger: Migration = {
  version: 2,
  name: "ledger",
  statements: (dialect) => [...callTables(dialect), ...rollupTables(dialect)],
};

function callTables({ integer, text, json, rowNumber, tableEnd }: SqlDialect): readonly string[] {
  return [
    // Ids and model names stand once here; calls and roll-ups refer to them by number, 0 for none.
    `CREATE TABLE ledger_names (
      id ${rowNumber},
      name ${text} NOT NULL UNIQUE
    )${tableEnd}`,
    // What is filtered, sorted or joined often has a column; the rest is one JSON array (see call-rows.ts).
    `CREATE TABLE calls (
      seq ${rowNumber},
      id ${text} NOT NULL UNIQUE,
      started_at ${integer} NOT NULL,
      client_key_ref ${integer} NOT NULL,
      owner_ref ${integer} NOT NULL,
      provider_key_ref ${integer} NOT NULL,
      provider_ref ${integer} NOT NULL,
      failed ${integer} NOT NULL,
      http_status ${integer} NOT NULL,
      latency_ms ${integer} NOT NULL,
      tokens ${integer} NOT NULL,
      cost_micros ${integer},
      body ${json} NOT NULL
    )${tableEnd}`,
    // Each index costs about a fifth of a row's insertion, so there are only those that lists need.
    "CREATE INDEX calls_client_key ON calls (client_key_ref)",
    "CREATE INDEX calls_owner ON calls (owner_ref)",
    "CREATE INDEX calls_provider_key ON calls (provider_key_ref)",
    // Which rows hold the calls that began in a minute: stands in for an index on started_at.
    `CREATE TABLE call_minutes (
      minute_ms ${integer} PRIMARY KEY,
      first_seq ${integer} NOT NULL,
      last_seq ${integer} NOT NULL
    )${tableEnd}`,
    `CREATE TABLE ledger_state (
      id ${integer} PRIMARY KEY CHECK (id = 1),
      journal_file ${integer},
      journal_offset ${integer},
      folded_until_ms ${integer} NOT NULL,
      minutes_from_ms ${integer} NOT NULL,
      hours_from_ms ${integer} NOT NULL
    )${tableEnd}`,
    "INSERT INTO ledger_state VALUES (1, NULL, NULL, 0, 0, 0)",
    // Deleted client keys whose calls are still being removed, and those whose late calls must not come in.
    `CREATE TABLE deleted_client_keys (
      client_key_id ${text} PRIMARY KEY,
      deleted_at ${integer} NOT NULL,
      swept_at ${integer}
    )${tableEnd}`,
    "CREATE INDEX deleted_client_keys_unswept ON deleted_client_keys (client_key_id) WHERE swept_at IS NULL",
  ];
}

function rollupTables({
  integer,
  rowNumber,
  tableEnd,
  clusteredTableEnd,
}: SqlDialect): readonly string[] {
  const rollup = (table: string): string => `CREATE TABLE ${table} (
      bucket_ms ${integer} NOT NULL,
      key_id ${integer} NOT NULL,
      calls ${integer} NOT NULL,
      errors ${integer} NOT NULL,
      input_tokens ${integer} NOT NULL,
      output_tokens ${integer} NOT NULL,
      cache_read_tokens ${integer} NOT NULL,
      cache_write_tokens ${integer} NOT NULL,
      reasoning_tokens ${integer} NOT NULL,
      cost_micros ${integer} NOT NULL,
      unpriced_calls ${integer} NOT NULL,
      latency_sum_ms ${integer} NOT NULL,
      timed_calls ${integer} NOT NULL,
      request_bytes ${integer} NOT NULL,
      response_bytes ${integer} NOT NULL,
      PRIMARY KEY (bucket_ms, key_id)
    )${clusteredTableEnd}`;
  return [
    // Each combination that calls are counted under.
    `CREATE TABLE usage_keys (
      id ${rowNumber},
      client_key_ref ${integer} NOT NULL,
      owner_ref ${integer} NOT NULL,
      provider_ref ${integer} NOT NULL,
      provider_key_ref ${integer} NOT NULL,
      model_ref ${integer} NOT NULL,
      UNIQUE (client_key_ref, owner_ref, provider_ref, provider_key_ref, model_ref)
    )${tableEnd}`,
    "CREATE INDEX usage_keys_owner ON usage_keys (owner_ref)",
    "CREATE INDEX usage_keys_provider_key ON usage_keys (provider_key_ref)",
    rollup("rollups_minute"),
    rollup("rollups_hour"),
    rollup("rollups_day"),
    "CREATE INDEX rollups_hour_key ON rollups_hour (key_id, bucket_ms)",
    "CREATE INDEX rollups_day_key ON rollups_day (key_id, bucket_ms)",
  ];
}
