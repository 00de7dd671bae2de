import { Fault } from "../core/fault.js";
import type { User } from "../core/user.js";

/** What a sentence calls the nouns. */
export type Noun =
  "user" | "session" | "provider" | "model" | "provider key" | "client key" | "call" | "setting";

/** What a caller wants to use, as far as the permission table needs to know it. */
export interface Target {
  readonly noun: Noun;
  readonly id: string;
  readonly name: string;
  /** Null for what has no owner. */
  readonly ownerId: string | null;
}

/**
 * A refusal by the permission table. It reads like any other fault from outside; inside it is told apart,
 * so that the attempt is written to the audit log.
 */
export class Denial extends Fault {
  readonly target: Target | null;
  /** Why, for the audit log. */
  readonly reason: string;

  constructor(fault: Fault, target: Target | null, reason: string) {
    super(fault.code, fault.publicMessage);
    this.target = target;
    this.reason = reason;
  }
}

/** The refusal of a banned user who has proved their identity. */
export function bannedFault({ banReason }: Pick<User, "banReason">): Fault {
  const why = banReason === "" ? "" : ` Reason given: ${JSON.stringify(banReason)}.`;
  return new Fault("user_banned", `This account is banned; an admin can lift the ban.${why}`);
}

/** The same words whether the id does not exist or belongs to another user. */
export function notFound(noun: Noun, id: string): Fault {
  return new Fault("not_found", `There is no ${noun} ${JSON.stringify(id.slice(0, 80))}.`);
}

/** Returns the value, or throws `not_found` if there is none. */
export function found<T>(value: T | undefined, noun: Noun, id: string): T {
  if (value === undefined) throw notFound(noun, id);
  return value;
}

/** Throws `conflict` unless the caller's version is the stored one; undefined or 0 does not check. */
export function requireVersion(
  expected: number | undefined,
  stored: { readonly id: string; readonly version: number },
): void {
  if (expected === undefined || expected === 0 || expected === stored.version) return;
  throw new Fault(
    "conflict",
    `${stored.id} is at version ${String(stored.version)} now, not ${String(expected)}: read it again, then repeat the change.`,
  );
}
