import type { Actor } from "../core/audit.js";
import { Fault } from "../core/fault.js";
import { POLICY, type Caller, type Grant } from "./policy-table.js";
import { Denial, notFound, type Target } from "./refusals.js";

/** A verb of the permission table, e.g. `provider_key.create`. */
export type Action = keyof typeof POLICY;

export interface AllowedAction {
  readonly action: Action;
  /** OWN: with the caller's own things only. ANY: with all. */
  readonly scope: "OWN" | "ANY";
}

/** All verbs, sorted. */
export const ACTIONS: readonly Action[] = Object.keys(POLICY).filter(isAction).toSorted();

function isAction(text: string): text is Action {
  return Object.hasOwn(POLICY, text);
}

/** The column of the permission table that an actor reads; undefined for the system itself. */
export function callerOf(actor: Actor): Caller | undefined {
  if (actor.via === "SYSTEM" && actor.role === "SYSTEM") return undefined;
  if (actor.via === "ANONYMOUS" || actor.userId === null) return "ANONYMOUS";
  if (actor.via === "CLIENT_KEY") return "CLIENT_KEY";
  // A system role that did not come from within the process has no rights at all.
  return actor.role === "SYSTEM" ? "ANONYMOUS" : actor.role;
}

/** What an actor may do; a verb that the table does not name is denied to everybody. */
export function grantOf(actor: Actor, action: string): Grant {
  if (!isAction(action)) return "DENY";
  const caller = callerOf(actor);
  return caller === undefined ? "ALLOW" : POLICY[action][caller];
}

/**
 * Throws unless the actor may do this; with a target, unless they may do it to that target. Another
 * owner's thing answers `not_found`, in the words of an id that does not exist, never `permission_denied`.
 */
export function authorize(actor: Actor, action: Action, target?: Target): void {
  const grant = grantOf(actor, action);
  if (grant === "ALLOW") return;
  if (grant === "DENY") throw new Denial(denied(actor, action), target ?? null, "not permitted");
  if (target === undefined || target.ownerId === actor.userId) return;
  throw new Denial(notFound(target.noun, target.id), target, "belongs to another owner");
}

/** True if the actor may do this to everybody's things. */
export function mayAll(actor: Actor, action: Action): boolean {
  return grantOf(actor, action) === "ALLOW";
}

/** What the actor may do, sorted, for WhoAmI. */
export function allowedActions(actor: Actor): readonly AllowedAction[] {
  return ACTIONS.flatMap((action): AllowedAction[] => {
    const grant = grantOf(actor, action);
    return grant === "DENY" ? [] : [{ action, scope: grant === "ALLOW" ? "ANY" : "OWN" }];
  });
}

function denied(actor: Actor, action: Action): Fault {
  if (callerOf(actor) === "ANONYMOUS") {
    return new Fault("unauthenticated", "Sign in first: this needs a session or a client key.");
  }
  const message =
    actor.via === "CLIENT_KEY"
      ? `A client key may not do ${action}: sign in for it, if your role allows it.`
      : `Role ${actor.role} may not do ${action}: ask an admin.`;
  return new Fault("permission_denied", message);
}
