import { type Period, periodEnd, PERIODS, periodStart } from "../core/period.js";
import type { Accounting } from "../metering/accounting.js";
import type { Pool } from "../pool/pool.js";
import type { PastUse } from "../pool/quota-meter.js";
import type { Storage } from "../storage/open.js";
import type { Foundation } from "./foundation.js";

export interface QuotaSources extends Pick<Foundation, "clock" | "logger"> {
  readonly ledger: Pick<Storage["ledger"], "spent">;
  readonly accounting: Pick<Accounting, "caughtUp">;
}

/**
 * Tells the pool what each provider key has used in the running day, week and month. Call it before the first call is
 * admitted, or a restart gives every key its quota a second time. A period that the clock is set into later is told as
 * soon as the ledger is up to date; what begins and ends in that moment may count twice.
 */
export async function startQuotas(pool: Pool, sources: QuotaSources): Promise<void> {
  const { accounting, logger } = sources;
  await restore(pool, sources, PERIODS);
  const restoreUnknown = async (period: Period): Promise<void> => {
    await accounting.caughtUp();
    await restore(pool, sources, [period]);
  };
  pool.registry.onUnknownPeriod((period) => {
    restoreUnknown(period).catch((cause: unknown) => {
      logger.warn({ period, err: cause }, "what provider keys have used could not be read");
    });
  });
}

/** Asks the ledger once for each kind of period, for all keys together. */
async function restore(
  pool: Pool,
  { ledger, clock }: QuotaSources,
  periods: readonly Period[],
): Promise<void> {
  const nowMs = clock.now();
  const past = await Promise.all(periods.map((period) => usedIn(ledger, period, nowMs)));
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
