import type { Limits } from "../core/limits.js";
import type { ChangeOf } from "../keys/change-feed.js";
import type { SubjectId, SubjectKind } from "../limits/limit-subject.js";
import { Limiter, SERVER, type SpentRow } from "../limits/limiter.js";
import { restoreBudgets } from "../limits/restore-budgets.js";
import type { Foundation } from "./foundation.js";
import type { UseCases } from "./use-cases.js";

/** Limits that know what was spent before this process: a restart gives nobody their budget a second time. */
export async function startLimiter(
  foundation: Foundation,
  { directory, settings }: UseCases,
): Promise<Limiter> {
  const { clock, logger, feed, lifecycle } = foundation;
  const spentSince = spentReader(foundation);
  const limiter = new Limiter({
    clock,
    ownerLimits: (ownerId) => directory.ownerLimits.get(ownerId) ?? null,
    serverLimits: () => settings.values.serverLimits,
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
  await restore("server", new Map([[SERVER.id, settings.values.serverLimits]]));
  const leave = feed.subscribe(["client_key", "user", "setting"], (change) => {
    if (change.kind === "setting") limiter.setLimits(SERVER, settings.values.serverLimits);
    else follow(limiter, subjectOf(change), change.value?.limits);
  });
  lifecycle.started("limits", leave);
  return limiter;
}

function subjectOf({ kind, id }: ChangeOf<"client_key" | "user">): SubjectId {
  return { kind: kind === "user" ? "user" : "client key", id };
}

/** Takes up changed limits; undefined for what was deleted. */
function follow(limiter: Limiter, subject: SubjectId, limits: Limits | undefined): void {
  if (limits === undefined) limiter.forget(subject);
  else limiter.setLimits(subject, limits);
}

/** What those of a kind, or one of them, have spent since a time; ids are those of the kind. */
function spentReader({ clock, storage }: Foundation) {
  return async (
    kind: SubjectKind,
    fromMs: number,
    id: string | null,
  ): Promise<readonly SpentRow[]> => {
    const by = SPENDERS[kind];
    if (by !== "SERVER") return storage.ledger.spent({ by, id, fromMs, toMs: clock.now() });
    const rows = await storage.ledger.spent({ by, id: null, fromMs, toMs: clock.now() });
    return rows.map((row) => ({ ...row, id: SERVER.id }));
  };
}

const SPENDERS = { "client key": "CLIENT_KEY", user: "OWNER", server: "SERVER" } as const;
