import { Limiter } from "../limits/limiter.js";
import { restoreBudgets } from "../limits/restore-budgets.js";
import type { LedgerStore, UsageRow } from "../metering/ports.js";
import type { Foundation } from "./foundation.js";
import type { UseCases } from "./use-cases.js";

/** Limits that know what was spent before this process: a restart gives no key its budget a second time. */
export async function startLimiter(
  { clock, logger }: Foundation,
  { directory }: UseCases,
  ledger: LedgerStore,
): Promise<Limiter> {
  const spentSince = async (fromMs: number, clientKeyId: string | null) => {
    const rows = await ledger.usage({
      fromMs,
      toMs: clock.now(),
      bucket: "ALL",
      groupBy: "CLIENT_KEY",
      ownerId: null,
      clientKeyId,
      providerKeyId: null,
    });
    return rows.map(spending);
  };
  const limiter = new Limiter({
    clock,
    loadSpent: async (clientKeyId, fromMs) => {
      const [row] = await spentSince(fromMs, clientKeyId);
      return row ?? { tokens: 0, costMicros: 0 };
    },
    onLoadFailed: (clientKeyId, cause) =>
      logger.warn({ clientKeyId, err: cause }, "what a budget has spent could not be read"),
  });
  const { budgets } = directory;
  await restoreBudgets({
    limiter,
    clock,
    budgets,
    spentSince: (fromMs) => spentSince(fromMs, null),
  });
  return limiter;
}

function spending(row: UsageRow) {
  return {
    clientKeyId: row.group,
    tokens: row.inputTokens + row.outputTokens,
    costMicros: row.costMicros,
  };
}
