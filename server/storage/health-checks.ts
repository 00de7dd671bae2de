import type { Db } from "./db.js";
import { flag } from "./json.js";

/** Checks that are kept of each provider key. */
export const HEALTH_CHECKS_KEPT = 10;
const ERROR_CHARS_MAX = 200;

/** One check of a provider key's health. */
export interface HealthCheck {
  readonly providerKeyId: string;
  readonly at: number;
  readonly ok: boolean;
  readonly latencyMs: number;
  readonly httpStatus: number | null;
  readonly error: string;
}

interface HealthCheckRow {
  provider_key_id: string;
  at: number;
  ok: number;
  latency_ms: number;
  http_status: number | null;
  error: string;
}

/** Reads health checks. */
export function healthCheckReader(db: Db) {
  return {
    /** Newest first, at most ten. */
    async ofKey(providerKeyId: string): Promise<readonly HealthCheck[]> {
      const rows = await db.rows<HealthCheckRow>(
        `SELECT * FROM health_checks WHERE provider_key_id = ? ORDER BY number DESC LIMIT ${HEALTH_CHECKS_KEPT}`,
        [providerKeyId],
      );
      return rows.map((row) => ({
        providerKeyId: row.provider_key_id,
        at: row.at,
        ok: row.ok === 1,
        latencyMs: row.latency_ms,
        httpStatus: row.http_status,
        error: row.error,
      }));
    },
  };
}

/** Reads and writes health checks inside a transaction. */
export function healthCheckTable(db: Db) {
  return {
    ...healthCheckReader(db),
    /** Keeps the last ten of a key. Throws Fault `failed_precondition` when the key is gone. */
    async append(check: HealthCheck): Promise<void> {
      await db.query((knex) =>
        knex("health_checks").insert({
          provider_key_id: check.providerKeyId,
          at: check.at,
          ok: flag(check.ok),
          latency_ms: Math.round(check.latencyMs),
          http_status: check.httpStatus,
          error: check.error.slice(0, ERROR_CHARS_MAX),
        } satisfies HealthCheckRow),
      );
      await db.rows(
        `DELETE FROM health_checks WHERE provider_key_id = ? AND number NOT IN (
           SELECT number FROM health_checks WHERE provider_key_id = ?
           ORDER BY number DESC LIMIT ${HEALTH_CHECKS_KEPT})`,
        [check.providerKeyId, check.providerKeyId],
      );
    },
  };
}
