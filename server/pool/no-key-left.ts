import { poolName } from "../core/model-apart.js";
import { Fault } from "../core/fault.js";
import type { LeaseRequest } from "../core/lease.js";
import type { Route } from "../core/provider.js";
import type { KeyIndex } from "./key-index.js";
import type { KeySlot } from "./key-slot.js";
import { type KeyIds, NO_KEYS } from "./rights.js";
import type { Scope } from "./scope.js";

// What the pool answers when it has no key for a call.

/** Retry-After when no key will come back by itself. */
const RETRY_LATER_SECONDS = 30;
/** By which SDKs tell their caller then, and do not wait so long to ask again themselves. */
const FOR_GOOD = "x-should-retry: false\r\n";

/** When a route has a key again, monotonic milliseconds: `nowMs` when it has one, infinity when none will come back by itself. */
export function nextBackMs(
  index: KeyIndex,
  { route, scope, nowMs, except }: { route: Route; scope: Scope; nowMs: number; except: KeyIds },
): number {
  let backMs = Infinity;
  for (const target of route.targets) {
    const lanes = index.lanes(target.provider.id, scope);
    const openMs = lanes[0]?.origin.backMs(poolName(target), nowMs) ?? nowMs;
    for (const lane of lanes) {
      const set = lane.candidates(poolName(target));
      const isReady = hasOther(set.ready, except) || hasOther(set.awaiting, except);
      if (isReady && openMs <= nowMs) return nowMs;
      backMs = Math.min(backMs, Math.max(isReady ? nowMs : set.nextBackMs(nowMs), openMs));
    }
  }
  return backMs;
}

function hasOther(slots: readonly KeySlot[], except: KeyIds): boolean {
  return slots.some((slot) => !except.has(slot.id));
}

/** Why no key is left for a call, with the time after which one may be back. */
export function noneLeft(
  index: KeyIndex,
  {
    request,
    scope,
    nowMs,
  }: { request: Pick<LeaseRequest, "route" | "tried">; scope: Scope; nowMs: number },
): Fault {
  const { route, tried } = request;
  const backMs = nextBackMs(index, { route, scope, nowMs, except: NO_KEYS });
  const whose = scope.kind === "PUBLIC" ? "public provider key" : "provider key of your own";
  const model = route.targets[0]?.upstreamModel ?? route.modelAsked;
  if (modelRefused(index, route, scope)) {
    const said = `The provider does not serve the model "${model}" to any key that could be used.`;
    return new Fault("model_not_found", said);
  }
  const cause =
    tried.size > 0
      ? `${allOf(tried.size)} that could be tried failed.`
      : backMs === Infinity
        ? "None is enabled and healthy."
        : whyAllWait(index, { route, scope, nowMs });
  const served = model === "" ? "this call" : model;
  return refusal(scope, `No ${whose} can serve ${served} now. ${cause}`, backMs - nowMs);
}

function allOf(count: number): string {
  if (count === 1) return "The only one";
  return count === 2 ? "Both" : `All ${count}`;
}

/** Whether it is their provider that they wait for. */
function whyAllWait(
  index: KeyIndex,
  { route, scope, nowMs }: { route: Route; scope: Scope; nowMs: number },
): string {
  for (const target of route.targets) {
    const [lane] = index.lanes(target.provider.id, scope);
    const rest = lane?.origin.restFor(poolName(target), nowMs);
    if (rest === undefined) continue;
    return rest.model === null
      ? "The provider cannot be reached."
      : "The provider has no room for this model.";
  }
  return "Every one is cooling down or has used up its quota.";
}

/** The refusal of a call that only one key can serve, which cannot be used for `waitMs`; infinity if it will not be back by itself. */
export function homeRests(scope: Scope, waitMs: number): Fault {
  const message =
    "What this call names is in the account of one provider key, which cannot be used now.";
  return refusal(scope, message, waitMs);
}

/** What callers of the public pool are told while it is closed. */
export function poolClosed(): Fault {
  return refusal({ kind: "PUBLIC" }, "The public pool is closed on this server.", Infinity);
}

function refusal({ kind }: Scope, message: string, waitMs: number): Fault {
  const code = kind === "PUBLIC" ? "no_public_token" : "no_own_token";
  if (waitMs === Infinity) {
    return new Fault(code, message, { retryAfterSeconds: RETRY_LATER_SECONDS, headers: FOR_GOOD });
  }
  return new Fault(code, message, { retryAfterSeconds: Math.max(1, Math.ceil(waitMs / 1000)) });
}

function modelRefused(index: KeyIndex, route: Route, scope: Scope): boolean {
  const sets = route.targets.flatMap((target) =>
    index.lanes(target.provider.id, scope).map((lane) => lane.candidates(poolName(target))),
  );
  return (
    sets.some((set) => set.serving === "REFUSED") && sets.every((set) => set.serving !== "SERVED")
  );
}
