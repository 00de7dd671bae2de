import { Limiter } from "../limits/limiter.js";
import type { LedgerStore } from "../metering/ports.js";
import type { Foundation } from "./foundation.js";

/** Limits that know what was spent before this process, from the roll-ups. */
export function createLimiter({ clock, logger }: Foundation, ledger: LedgerStore): Limiter {
  return new Limiter({
    clock,
    loadSpent: async (clientKeyId, fromMs) => {
      const rows = await ledger.usage({
        fromMs,
        toMs: clock.now(),
        bucket: "ALL",
        groupBy: "NONE",
        ownerId: null,
        clientKeyId,
        providerKeyId: null,
      });
      const [sum] = rows;
      return {
        tokens: (sum?.inputTokens ?? 0) + (sum?.outputTokens ?? 0),
        costMicros: sum?.costMicros ?? 0,
      };
    },
    onLoadFailed: (clientKeyId, cause) =>
      logger.warn({ clientKeyId, err: cause }, "what a budget has spent could not be read"),
  });
}
