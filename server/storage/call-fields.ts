import { ATTEMPT_COUNT, bodyInteger, bodyText } from "./call-rows.js";
import type { Field, Fields } from "./filter.js";
import type { Matching } from "./sql-dialect.js";

/** A record that calls refer to by number: how its numbers are found, given its id or its present name. */
interface CallReference {
  readonly column: string;
  /** Gives numbers; each `?` stands for what is looked for. */
  readonly exactly: string;
  readonly named: (matching: Matching) => string;
}

function byId(column: string): CallReference {
  return {
    column,
    exactly: "SELECT id FROM ledger_names WHERE name = ?",
    named: (matching) => `SELECT id FROM ledger_names WHERE ${matching("name")}`,
  };
}

function byName(column: string, table: string, name: string): CallReference {
  const numbers = `SELECT id FROM ledger_names WHERE`;
  return {
    column,
    exactly: `${numbers} name = ? OR name IN (SELECT id FROM ${table} WHERE lower(${name}) = lower(?))`,
    named: (matching) => `${numbers} name IN (SELECT id FROM ${table} WHERE ${matching(name)})`,
  };
}

/** The fields of a call that have an index, the best one first. */
export const INDEXED: Readonly<Record<string, CallReference>> = {
  clientKeyId: byId("client_key_ref"),
  clientKey: byName("client_key_ref", "client_keys", "name"),
  providerKeyId: byId("provider_key_ref"),
  providerKey: byName("provider_key_ref", "provider_keys", "name"),
  ownerId: byId("owner_ref"),
  owner: byName("owner_ref", "users", "username"),
};

function reference({ column, exactly, named }: CallReference): Field {
  return {
    sql: column,
    kind: "reference",
    exactly: `${column} IN (${exactly})`,
    named: (matching) => `${column} IN (${named(matching)})`,
  };
}

/** What calls can be filtered by. */
export const CALL_FIELDS: Fields = {
  ...Object.fromEntries(Object.entries(INDEXED).map(([name, ref]) => [name, reference(ref)])),
  id: { sql: "id", kind: "text", choices: true },
  time: { sql: "started_at", kind: "time" },
  providerId: reference(byId("provider_ref")),
  provider: reference(byName("provider_ref", "providers", "slug")),
  clientKeyKind: {
    sql: bodyText("clientKeyKind"),
    kind: "text",
    values: ["STANDARD", "SUPER", "BYOR"],
  },
  modelAsked: { sql: bodyText("modelAsked"), kind: "text", choices: true, searched: true },
  modelServed: {
    sql: bodyText("modelServed"),
    kind: "text",
    choices: true,
    nullable: true,
    searched: true,
  },
  model: {
    sql: bodyText("modelAsked"),
    kind: "reference",
    exactly: `(${bodyText("modelAsked")} = ? OR ${bodyText("modelServed")} = ?)`,
    named: (matching) =>
      matching(`(${bodyText("modelAsked")} || ' ' || COALESCE(${bodyText("modelServed")}, ''))`),
  },
  endpoint: { sql: bodyText("endpoint"), kind: "text", choices: true, searched: true },
  dialect: { sql: bodyText("dialect"), kind: "text", values: ["OPENAI", "ANTHROPIC", "GEMINI"] },
  streamed: { sql: bodyInteger("streamed"), kind: "boolean" },
  status: {
    sql: "CASE failed WHEN 1 THEN 'ERROR' ELSE 'SUCCESS' END",
    kind: "text",
    values: ["SUCCESS", "ERROR"],
  },
  httpStatus: { sql: "http_status", kind: "integer" },
  errorCode: { sql: bodyText("errorCode"), kind: "text", nullable: true, choices: true },
  errorMessage: {
    sql: bodyText("errorMessage"),
    kind: "text",
    nullable: true,
    searched: true,
  },
  latencyMs: { sql: "latency_ms", kind: "integer" },
  timeToFirstByteMs: { sql: bodyInteger("ttfbMs"), kind: "integer", nullable: true },
  requestBytes: { sql: bodyInteger("requestBytes"), kind: "integer" },
  responseBytes: { sql: bodyInteger("responseBytes"), kind: "integer" },
  tokens: { sql: "tokens", kind: "integer" },
  inputTokens: { sql: bodyInteger("inputTokens"), kind: "integer" },
  outputTokens: { sql: bodyInteger("outputTokens"), kind: "integer" },
  cacheReadTokens: { sql: bodyInteger("cacheReadTokens"), kind: "integer" },
  cacheWriteTokens: { sql: bodyInteger("cacheWriteTokens"), kind: "integer" },
  reasoningTokens: { sql: bodyInteger("reasoningTokens"), kind: "integer" },
  costMicros: { sql: "cost_micros", kind: "integer", nullable: true },
  unpriced: { sql: "(cost_micros IS NULL)", kind: "boolean" },
  usageSource: {
    sql: bodyText("usageSource"),
    kind: "text",
    values: ["PROVIDER", "PARTIAL", "ESTIMATED", "NONE"],
  },
  ipAddress: { sql: bodyText("ip"), kind: "text", choices: true, searched: true },
  attemptCount: { sql: ATTEMPT_COUNT, kind: "integer" },
};
