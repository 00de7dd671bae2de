import { type Actor, SYSTEM_ACTOR } from "../core/audit.js";
import { Fault } from "../core/fault.js";
import type { IdSource } from "../core/ids.js";
import { UNLIMITED, type Limits } from "../core/limits.js";
import type { Page, PageQuery } from "../core/page.js";
import type { Secret } from "../core/secret.js";
import type { Role, User, UserState } from "../core/user.js";
import { changedFields } from "./changed-fields.js";
import type { Done, Operations } from "./operations.js";
import { patchedField } from "./patched-field.js";
import { authorize, type Action } from "./policy.js";
import type { KeysReader, KeysTx, Passwords } from "./ports.js";
import { askerOf } from "./password-gate.js";
import { Denial, found, requireVersion } from "./refusals.js";
import type { Settings } from "./settings.js";
import { withoutLocks } from "./sign-in-places.js";
import { removeUser, type RemovedUser } from "./user-removal.js";
import {
  checkPassword,
  cleanDescription,
  cleanEmail,
  cleanLimits,
  cleanLine,
  cleanTrustLevel,
  cleanUsername,
  DESCRIPTION_CHARS_MAX,
} from "./validate.js";

/** What is given for a new user. */
export interface UserDraft {
  readonly username: string;
  readonly email?: string | null | undefined;
  /** Undefined for an account without one: it signs in by other means. */
  readonly password?: Secret | undefined;
  readonly role?: Role | undefined;
  readonly trustLevel?: number | undefined;
  /** Limits of all their client keys together; undefined for none. */
  readonly limits?: Limits | undefined;
  readonly note?: string | undefined;
}

/** What can be changed later; undefined leaves a field as it is. */
export type UserPatch = Partial<
  Pick<UserDraft, "email" | "role" | "trustLevel" | "limits" | "note">
>;

const PATCH_FIELDS = ["email", "role", "trustLevel", "limits", "note"] as const;

/** A user whose account stopped working, and what that did. */
export interface StoppedUser {
  readonly user: User;
  readonly endedSessions: number;
  /** Public keys that left the pool. */
  readonly withdrawnProviderKeys: number;
}

/** The people and services that own keys. */
export class Users {
  readonly #operations: Operations;
  readonly #passwords: Passwords;
  readonly #settings: Settings;
  readonly #ids: IdSource;

  constructor(options: {
    operations: Operations;
    passwords: Passwords;
    settings: Settings;
    ids: IdSource;
  }) {
    this.#operations = options.operations;
    this.#passwords = options.passwords;
    this.#settings = options.settings;
    this.#ids = options.ids;
  }

  /**
   * Makes the first admin if there is no user at all; undefined otherwise. Without a password the account
   * is for the local socket, so that there is no default password anywhere.
   */
  async createFirstAdmin(draft: UserDraft): Promise<User | undefined> {
    const clean = await this.#clean(SYSTEM_ACTOR, { ...draft, role: "ADMIN" });
    const existing = await this.#operations.read(SYSTEM_ACTOR, "user.list", firstUser);
    if (existing !== undefined) return undefined;
    return this.#operations.write(SYSTEM_ACTOR, "user.create", async (tx, nowMs) => {
      if ((await firstUser(tx)) !== undefined) {
        throw new Fault("failed_precondition", "There is a user already.");
      }
      return this.#insert(tx, clean, nowMs);
    });
  }

  /** Anybody makes their own account, if the settings allow it; always with role USER. */
  async register(
    actor: Actor,
    draft: Pick<UserDraft, "username" | "email" | "password">,
  ): Promise<User> {
    return this.#operations.run(actor, "session.register", async () => {
      if (!this.#settings.values.registrationEnabled) {
        const fault = new Fault(
          "permission_denied",
          "Registration is switched off here; ask an admin for an account.",
        );
        throw new Denial(fault, null, "registration is switched off");
      }
      if (draft.password === undefined) throw passwordRequired();
      const { username, email, password } = draft;
      const clean = await this.#clean(actor, { username, email, password, role: "USER" });
      return this.#operations.write(actor, "session.register", (tx, nowMs) =>
        this.#insert(tx, clean, nowMs),
      );
    });
  }

  /** ADMIN only. */
  async create(actor: Actor, draft: UserDraft): Promise<User> {
    return this.#operations.run(actor, "user.create", async () => {
      const clean = await this.#clean(actor, draft);
      return this.#operations.write(actor, "user.create", (tx, nowMs) =>
        this.#insert(tx, clean, nowMs),
      );
    });
  }

  async get(actor: Actor, id: string): Promise<User> {
    return this.#operations.read(actor, "user.get", (reader) =>
      permitted(reader, actor, "user.get", id),
    );
  }

  async list(actor: Actor, query: PageQuery): Promise<Page<User>> {
    return this.#operations.read(actor, "user.list", (reader) => reader.users.list(query));
  }

  /**
   * Changes what is known of a user and what they may use. Throws `conflict` for a stale version and
   * `failed_precondition` if no admin would be left.
   */
  async update(
    actor: Actor,
    id: string,
    patch: UserPatch,
    expectedVersion?: number,
  ): Promise<User> {
    return this.#operations.write(actor, "user.update", async (tx, nowMs) => {
      const user = await permitted(tx, actor, "user.update", id);
      requireVersion(expectedVersion, user);
      const next = patched(user, patch);
      if (next.email !== user.email) await requireNewEmail(tx, next.email);
      if (user.role === "ADMIN" && next.role !== "ADMIN") await requireAnotherAdmin(tx, user);
      const names = changedFields(user, next, PATCH_FIELDS);
      return save(tx, names.length === 0 ? user : changed(next, nowMs), names);
    });
  }

  /**
   * Sessions end, client keys answer `user_banned`, provider keys leave the pool; reversible. The reason is told to the
   * user and written to the audit log. Banning again replaces the reason.
   */
  async ban(actor: Actor, id: string, reason = ""): Promise<StoppedUser> {
    const banReason = cleanLine("reason", reason, DESCRIPTION_CHARS_MAX);
    return this.#stop(actor, { action: "user.ban", id, state: "BANNED", banReason });
  }

  /** Switches an account off without blame: no sign-in, no calls with its client keys. */
  async disable(actor: Actor, id: string): Promise<StoppedUser> {
    return this.#stop(actor, { action: "user.disable", id, state: "DISABLED", banReason: "" });
  }

  /** Lifts a ban; the keys are as they were. */
  async unban(actor: Actor, id: string): Promise<User> {
    return this.#resume(actor, "user.unban", id, "BANNED");
  }

  async enable(actor: Actor, id: string): Promise<User> {
    return this.#resume(actor, "user.enable", id, "DISABLED");
  }

  /** Sets a new password, lifts a lock-out and ends the user's sessions. */
  async resetPassword(
    actor: Actor,
    id: string,
    password: Secret,
  ): Promise<{ readonly user: User; readonly endedSessions: number }> {
    return this.#operations.run(actor, "user.reset_password", async () => {
      const before = await this.#operations.read(actor, "user.reset_password", (reader) =>
        permitted(reader, actor, "user.reset_password", id),
      );
      checkPassword("new_password", password, before.username);
      const passwordHash = await this.#passwords.hash(password, askerOf(actor));
      return this.#operations.write(actor, "user.reset_password", async (tx, nowMs) => {
        const user = await permitted(tx, actor, "user.reset_password", id);
        const endedSessions = await endSessions(tx, id);
        const next: User = { ...withoutLocks(user), passwordHash };
        const saved = await save(tx, changed(next, nowMs), ["password"]);
        return { ...saved, value: { user: saved.value, endedSessions } };
      });
    });
  }

  /** Removes a user with sessions, keys, these keys' calls and private providers. Audit events stay. */
  async delete(actor: Actor, id: string, expectedVersion?: number): Promise<RemovedUser> {
    return this.#operations.write(actor, "user.delete", async (tx): Promise<Done<RemovedUser>> => {
      const user = await permitted(tx, actor, "user.delete", id);
      requireVersion(expectedVersion, user);
      requireNotOneself(actor, id);
      await requireAnotherAdmin(tx, user);
      const value = await removeUser(tx, actor, user);
      return { value, targetId: id, targetName: user.username, changedFields: [] };
    });
  }

  async #stop(
    actor: Actor,
    stop: {
      readonly action: "user.ban" | "user.disable";
      readonly id: string;
      readonly state: UserState;
      readonly banReason: string;
    },
  ): Promise<StoppedUser> {
    return this.#operations.write(actor, stop.action, async (tx, nowMs) => {
      const user = await permitted(tx, actor, stop.action, stop.id);
      requireNotOneself(actor, stop.id);
      await requireAnotherAdmin(tx, user);
      const keys = await tx.providerKeys.ofOwner(stop.id);
      const { state, banReason } = stop;
      const next: User = { ...user, state, banReason };
      const names = changedFields(user, next, ["state", "banReason"]);
      const saved = await save(tx, names.length === 0 ? user : changed(next, nowMs), names);
      const endedSessions = await endSessions(tx, stop.id);
      const banned = state === "BANNED" && user.state !== "BANNED";
      const withdrawnProviderKeys = banned
        ? keys.filter((key) => key.visibility === "PUBLIC").length
        : 0;
      return {
        ...saved,
        value: { user: saved.value, endedSessions, withdrawnProviderKeys },
        note: banReason,
      };
    });
  }

  async #resume(
    actor: Actor,
    action: "user.unban" | "user.enable",
    id: string,
    from: UserState,
  ): Promise<User> {
    return this.#operations.write(actor, action, async (tx, nowMs) => {
      const user = await permitted(tx, actor, action, id);
      if (user.state !== from && user.state !== "ACTIVE") {
        const what = user.state === "BANNED" ? "banned" : "disabled";
        throw new Fault(
          "failed_precondition",
          `User ${user.username} is ${what}; lift that first.`,
        );
      }
      const next: User = { ...user, state: "ACTIVE", banReason: "" };
      const names = changedFields(user, next, ["state"]);
      return save(tx, names.length === 0 ? user : changed(next, nowMs), names);
    });
  }

  async #clean(actor: Actor, draft: UserDraft): Promise<CleanUser> {
    const username = cleanUsername("username", draft.username);
    if (draft.password !== undefined) checkPassword("password", draft.password, username);
    return {
      username,
      email: cleanEmail("email", draft.email ?? null),
      role: draft.role ?? "USER",
      trustLevel: cleanTrustLevel("trust_level", draft.trustLevel ?? 0),
      passwordHash:
        draft.password === undefined
          ? null
          : await this.#passwords.hash(draft.password, askerOf(actor)),
      limits: cleanLimits("limits", draft.limits ?? UNLIMITED),
      note: cleanDescription("note", draft.note ?? ""),
    };
  }

  async #insert(tx: KeysTx, clean: CleanUser, nowMs: number): Promise<Done<User>> {
    if ((await tx.users.byUsername(clean.username)) !== undefined) {
      throw new Fault("already_exists", "This username is taken; choose another one.", {
        violations: [{ field: "username", message: "is taken already" }],
      });
    }
    await requireNewEmail(tx, clean.email);
    const user: User = {
      id: this.#ids.next("usr"),
      ...clean,
      state: "ACTIVE",
      failedLogins: 0,
      lockedUntil: null,
      places: [],
      createdAt: nowMs,
      updatedAt: nowMs,
      lastLoginAt: null,
      banReason: "",
      version: 1,
    };
    await tx.users.insert(user);
    return { value: user, targetId: user.id, targetName: user.username, changedFields: [] };
  }
}

type CleanUser = Pick<
  User,
  "username" | "email" | "role" | "trustLevel" | "passwordHash" | "limits" | "note"
>;

/** The user with a patch applied. Throws `invalid_argument`. */
function patched(user: User, patch: UserPatch): User {
  const { email, role, trustLevel, limits, note } = patch;
  return {
    ...user,
    email: patchedField(email, user.email, (text) => cleanEmail("email", text)),
    role: role ?? user.role,
    trustLevel: patchedField(trustLevel, user.trustLevel, (level) =>
      cleanTrustLevel("trust_level", level),
    ),
    limits: patchedField(limits, user.limits, (given) => cleanLimits("limits", given)),
    note: patchedField(note, user.note, (text) => cleanDescription("note", text)),
  };
}

/** A user whom somebody has changed. */
function changed(user: User, nowMs: number): User {
  return { ...user, updatedAt: nowMs, version: user.version + 1 };
}

/** Ends all sessions of a user; returns how many there were. */
export async function endSessions(tx: KeysTx, userId: string): Promise<number> {
  const sessions = await tx.sessions.ofUser(userId);
  await tx.sessions.deleteOfUser(userId);
  return sessions.length;
}

async function permitted(
  reader: KeysReader,
  actor: Actor,
  action: Action,
  id: string,
): Promise<User> {
  const user = found(await reader.users.get(id), "user", id);
  authorize(actor, action, { noun: "user", id, name: user.username, ownerId: id });
  return user;
}

async function save(tx: KeysTx, user: User, names: readonly string[]): Promise<Done<User>> {
  if (names.length > 0) {
    await tx.users.update(user);
  }
  return { value: user, targetId: user.id, targetName: user.username, changedFields: names };
}

async function firstUser(reader: KeysReader): Promise<User | undefined> {
  const page = await reader.users.list({
    conditions: [],
    text: "",
    orderBy: "",
    descending: false,
    pageSize: 1,
    pageToken: "",
  });
  return page.items[0];
}

async function requireNewEmail(tx: KeysTx, email: string | null): Promise<void> {
  if (email === null || (await tx.users.byEmail(email)) === undefined) return;
  throw new Fault("already_exists", "This e-mail address belongs to another user.", {
    violations: [{ field: "email", message: "is taken already" }],
  });
}

function requireNotOneself(actor: Actor, id: string): void {
  if (actor.userId !== id) return;
  throw new Fault("failed_precondition", "You cannot do this to yourself; ask another admin.");
}

/** Throws `failed_precondition` if this user is the only admin whose account works. */
async function requireAnotherAdmin(tx: KeysTx, user: User): Promise<void> {
  if (user.role !== "ADMIN" || user.state !== "ACTIVE") return;
  const others = await tx.users.list({
    conditions: [
      { field: "role", op: "=", value: "ADMIN" },
      { field: "state", op: "=", value: "ACTIVE" },
      { field: "id", op: "!=", value: user.id },
    ],
    text: "",
    orderBy: "",
    descending: false,
    pageSize: 1,
    pageToken: "",
  });
  if (others.total > 0) return;
  throw new Fault(
    "failed_precondition",
    `${user.username} is the last admin: make somebody else an admin first.`,
  );
}

function passwordRequired(): Fault {
  return new Fault("invalid_argument", "password: a password is required", {
    violations: [{ field: "password", message: "a password is required" }],
  });
}
