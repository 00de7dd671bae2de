import type { Limits } from "../core/limits.js";
import type { SubjectId, SubjectKind } from "../limits/limit-subject.js";
import { Limiter, type SpentRow } from "../limits/limiter.js";
import { restoreBudgets } from "../limits/restore-budgets.js";
import type { LedgerStore, UsageRow } from "../metering/ports.js";
import { ALL_USAGE } from "../metering/usage-types.js";
import type { Foundation } from "./foundation.js";
import type { UseCases } from "./use-cases.js";

/** Limits that know what was spent before this process: a restart gives nobody their budget a second time. */
export async function startLimiter(
  foundation: Foundation,
  { directory }: UseCases,
  ledger: LedgerStore,
): Promise<Limiter> {
  const { clock, logger, feed, lifecycle } = foundation;
  const spentSince = spentReader(foundation, ledger);
  const limiter = new Limiter({
    clock,
    ownerLimits: (ownerId) => directory.ownerLimits.get(ownerId) ?? null,
    loadSpent: async ({ kind, id }, fromMs) => {
      const [row] = await spentSince(kind, fromMs, id);
      return row ?? { tokens: 0, costMicros: 0 };
    },
    onLoadFailed: ({ kind, id }, cause) =>
      logger.warn({ kind, id, err: cause }, "what a budget has spent could not be read"),
  });
  const restore = (kind: SubjectKind, limits: ReadonlyMap<string, Limits>) =>
    restoreBudgets({
      limiter,
      clock,
      kind,
      limits,
      spentSince: (fromMs) => spentSince(kind, fromMs, null),
    });
  await restore("client key", directory.budgeted);
  await restore("user", directory.ownerLimits);
  const leave = feed.subscribe(["client_key", "user"], ({ kind, id, value }) => {
    follow(limiter, { kind: kind === "user" ? "user" : "client key", id }, value?.limits);
  });
  lifecycle.started("limits", leave);
  return limiter;
}

/** Takes up changed limits; undefined for what was deleted. */
function follow(limiter: Limiter, subject: SubjectId, limits: Limits | undefined): void {
  if (limits === undefined) limiter.forget(subject);
  else limiter.setLimits(subject, limits);
}

/** What those of a kind, or one of them, have spent since a time; ids are those of the kind. */
function spentReader({ clock }: Foundation, ledger: LedgerStore) {
  return async (
    kind: SubjectKind,
    fromMs: number,
    id: string | null,
  ): Promise<readonly SpentRow[]> => {
    const isUser = kind === "user";
    const rows = await ledger.usage({
      ...ALL_USAGE,
      fromMs,
      toMs: clock.now(),
      bucket: "ALL",
      groupBy: isUser ? "OWNER" : "CLIENT_KEY",
      ...(isUser ? { ownerId: id } : { clientKeyId: id }),
    });
    return rows.map(spending);
  };
}

function spending(row: UsageRow): SpentRow {
  return {
    id: row.group,
    tokens: row.inputTokens + row.outputTokens,
    costMicros: row.costMicros,
  };
}
