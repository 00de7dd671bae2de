import type { Clock } from "../core/clock.js";
import { PERIODS, periodEnd, periodStart } from "../core/period.js";
import type { Period } from "../core/provider-key.js";
import type { Pool } from "../pool/pool.js";
import type { PastUse } from "../pool/quota-meter.js";
import type { Storage } from "../storage/open.js";

/**
 * Tells the pool what each provider key has used in the running day, week and month. Call it before the first call is
 * admitted, or a restart gives every key its quota a second time. Asks the ledger once for each kind of period, for all
 * keys together.
 */
export async function restoreQuotas(
  pool: Pool,
  ledger: Pick<Storage["ledger"], "spent">,
  clock: Clock,
): Promise<void> {
  const nowMs = clock.now();
  const past = await Promise.all(PERIODS.map((period) => usedIn(ledger, period, nowMs)));
  pool.registry.restoreQuotas(past.flat());
}

/** The same as counts while the server runs: each call once, with the key that its record names. */
async function usedIn(
  ledger: Pick<Storage["ledger"], "spent">,
  period: Period,
  nowMs: number,
): Promise<readonly PastUse[]> {
  const startMs = periodStart(period, nowMs);
  const span = { fromMs: startMs, toMs: periodEnd(period, startMs) };
  const rows = await ledger.spent({ by: "PROVIDER_KEY", id: null, ...span });
  return rows.map(({ id, calls, tokens, costMicros }) => ({
    providerKeyId: id,
    period,
    startMs,
    requests: calls,
    tokens,
    costMicros,
  }));
}
