import { setImmediate as nextTurn } from "node:timers/promises";
import type { Holder } from "../core/client-key.js";
import type { Limits } from "../core/limits.js";
import type { Gateway } from "../gateway/server.js";
import type { ChangeOf } from "../keys/change-feed.js";
import type { Span } from "../limits/budget-fills.js";
import type { SubjectId, SubjectKind } from "../limits/limit-subject.js";
import { Limiter, SERVER, type SpentRow } from "../limits/limiter.js";
import { restoreBudgets } from "../limits/restore-budgets.js";
import type { Accounting } from "../metering/accounting.js";
import type { SpentQuery } from "../storage/spent.js";
import type { Foundation } from "./foundation.js";
import type { UseCases } from "./use-cases.js";

export interface LimiterSources {
  readonly accounting: Pick<Accounting, "caughtUp">;
  /** Knows the calls under way; undefined before there can be any. */
  readonly callers: () => Pick<Gateway, "admitted"> | undefined;
}

/** Limits that know what was spent before this process started, so that a restart gives no budget a second time. */
export async function startLimiter(
  foundation: Foundation,
  { directory, settings }: UseCases,
  { accounting, callers }: LimiterSources,
): Promise<Limiter> {
  const { clock, logger, feed, lifecycle } = foundation;
  const spentIn = spentReader(foundation);
  const limiter = new Limiter({
    clock,
    ownerLimits: (ownerId) => directory.ownerLimits.get(ownerId) ?? null,
    serverLimits: () => settings.values.serverLimits,
    underWay: ({ kind, id }) =>
      callers()?.admitted((holder) => kind === "server" || id === HOLDER_ID[kind](holder)) ?? 0,
    loadSpent: async ({ kind, id }, span, booked) => {
      // Calls that ended in this turn of the event loop are recorded at its end.
      await nextTurn();
      await accounting.caughtUp();
      const [row] = await spentIn(kind, span, { id, except: booked });
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
      spentIn: (span) => spentIn(kind, span, { id: null }),
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

const HOLDER_ID = {
  "client key": ({ clientKey }: Holder) => clientKey.id,
  user: ({ ownerId }: Holder) => ownerId,
};

function subjectOf({ kind, id }: ChangeOf<"client_key" | "user">): SubjectId {
  return { kind: kind === "user" ? "user" : "client key", id };
}

/** Takes up changed limits; undefined for what was deleted. */
function follow(limiter: Limiter, subject: SubjectId, limits: Limits | undefined): void {
  if (limits === undefined) limiter.forget(subject);
  else limiter.setLimits(subject, limits);
}

/**
 * What those of a kind, or one of them, have spent in a period; ids are those of the kind. To its end, for a clock may
 * have been set back.
 */
function spentReader({ storage }: Foundation) {
  return async (
    kind: SubjectKind,
    { startMs, endMs }: Span,
    { id, except }: Pick<SpentQuery, "id" | "except">,
  ): Promise<readonly SpentRow[]> => {
    const by = SPENDERS[kind];
    const isServer = by === "SERVER";
    const rows = await storage.ledger.spent({
      by,
      id: isServer ? null : id,
      fromMs: startMs,
      toMs: endMs,
      ...(except === undefined ? {} : { except }),
    });
    return isServer ? rows.map((row) => ({ ...row, id: SERVER.id })) : rows;
  };
}

const SPENDERS = { "client key": "CLIENT_KEY", user: "OWNER", server: "SERVER" } as const;
