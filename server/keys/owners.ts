import type { Actor } from "../core/audit.js";
import { Fault } from "../core/fault.js";
import type { PageQuery } from "../core/page.js";
import type { User } from "../core/user.js";
import { authorize, mayAll, type Action } from "./policy.js";
import { OWNER_FIELD, type KeysReader } from "./ports.js";
import { found } from "./refusals.js";

/** The caller as a user. Throws `failed_precondition` for the system, which owns nothing. */
export function userIdOf(actor: Actor): string {
  if (actor.userId !== null) return actor.userId;
  throw new Fault("failed_precondition", "Only a user can do this, and the caller is none.");
}

/** Who is to own a new thing: the one that the caller names, or else the caller. */
export function ownerIdOf(actor: Actor, ownerId: string | undefined): string {
  return ownerId === undefined || ownerId === "" ? userIdOf(actor) : ownerId;
}

/**
 * The owner-to-be, if the caller may do this for them. Throws `not_found` for an unknown or forbidden
 * owner, `user_banned` and `failed_precondition` for one whose account does not work.
 */
export async function requireOwner(
  reader: KeysReader,
  actor: Actor,
  action: Action,
  ownerId: string,
): Promise<User> {
  authorize(actor, action, { noun: "user", id: ownerId, name: "", ownerId });
  const owner = found(await reader.users.get(ownerId), "user", ownerId);
  requireWorking(owner);
  return owner;
}

/** Throws unless the account works. */
function requireWorking(user: User): void {
  if (user.state === "BANNED") {
    throw new Fault("user_banned", `User ${user.username} is banned; an admin can lift the ban.`);
  }
  if (user.state === "DISABLED") {
    throw new Fault(
      "failed_precondition",
      `User ${user.username} is switched off; an admin can switch the account on.`,
    );
  }
}

/** The same query, kept to the caller's own rows unless the caller may see everybody's. */
export function scoped(actor: Actor, action: Action, query: PageQuery): PageQuery {
  if (mayAll(actor, action)) return query;
  const own = { field: OWNER_FIELD, op: "=", value: userIdOf(actor) } as const;
  return { ...query, conditions: [...query.conditions, own] };
}
