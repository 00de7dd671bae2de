import type { Clock } from "../core/clock.js";
import { PERIODS, periodStart } from "../core/period.js";
import { ALL_USAGE, type UsageRow } from "../core/usage.js";
import type { LedgerStore } from "../metering/ports.js";
import type { Pool } from "../pool/pool.js";
import type { PastUse } from "../pool/quota-meter.js";

/**
 * Tells the pool what each provider key has used in the running day, week and month. Call it before the first call is
 * admitted, or a restart gives every key its quota a second time. Asks the ledger once for each stretch of days
 * between the periods' beginnings, for all keys together.
 */
export async function restoreQuotas(
  pool: Pool,
  ledger: Pick<LedgerStore, "usage">,
  clock: Clock,
): Promise<void> {
  const nowMs = clock.now();
  const starts = PERIODS.map((period) => periodStart(period, nowMs)).toSorted((a, b) => a - b);
  const stretches = starts.map((fromMs, at) => ({ fromMs, toMs: starts[at + 1] ?? nowMs }));
  const rows = await Promise.all(
    stretches
      .filter(({ fromMs, toMs }) => fromMs < toMs)
      .map((stretch) =>
        ledger.usage({ ...ALL_USAGE, ...stretch, bucket: "ALL", groupBy: "PROVIDER_KEY" }),
      ),
  );
  pool.registry.restoreQuotas(rows.flat().map(pastUse));
}

/** The same as counts while the server runs: each call once, with the key that its record names. */
function pastUse(row: UsageRow): PastUse {
  return {
    providerKeyId: row.group,
    fromMs: row.bucketMs,
    requests: row.calls,
    tokens: row.inputTokens + row.outputTokens,
    costMicros: row.costMicros,
  };
}
