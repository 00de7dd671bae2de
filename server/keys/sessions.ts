import type { Actor } from "../core/audit.js";
import type { Clock } from "../core/clock.js";
import { MINUTE_MS } from "../core/durations.js";
import { Fault, invalidField } from "../core/fault.js";
import type { IdSource } from "../core/ids.js";
import type { Secret } from "../core/secret.js";
import type { Session, User } from "../core/user.js";
import type { Done, Operations } from "./operations.js";
import { userIdOf } from "./owners.js";
import { askerOf, type PasswordGate } from "./password-gate.js";
import type { KeysTx, Passwords, SessionTokens } from "./ports.js";
import { bannedFault, found } from "./refusals.js";
import type { Settings } from "./settings.js";
import { endSessions } from "./users.js";
import { checkPassword } from "./validate.js";

/** Sessions of one user at a time; the oldest ends when another one begins. */
export const SESSIONS_PER_USER_MAX = 100;

/** A session that has just begun; the token is seen only here. */
export interface BegunSession {
  readonly token: Secret;
  readonly session: Session;
  readonly user: User;
}

/** Signing in and out on the control port. */
export class Sessions {
  readonly #operations: Operations;
  readonly #gate: PasswordGate;
  readonly #passwords: Passwords;
  readonly #tokens: SessionTokens;
  readonly #settings: Settings;
  readonly #ids: IdSource;
  readonly #clock: Clock;

  constructor(options: {
    operations: Operations;
    gate: PasswordGate;
    passwords: Passwords;
    tokens: SessionTokens;
    settings: Settings;
    ids: IdSource;
    clock: Clock;
  }) {
    this.#operations = options.operations;
    this.#gate = options.gate;
    this.#passwords = options.passwords;
    this.#tokens = options.tokens;
    this.#settings = options.settings;
    this.#ids = options.ids;
    this.#clock = options.clock;
  }

  /**
   * Begins a session. `name` is a username or an e-mail address. Throws `login_failed` for a wrong
   * password, an unknown user and a locked account alike; with the right password `user_banned` or
   * `permission_denied` if the account does not work.
   */
  async login(actor: Actor, name: string, password: Secret): Promise<BegunSession> {
    const login = name.normalize("NFKC").trim().toLowerCase();
    const begun = await this.#gate.pass(
      {
        actor,
        action: "session.login",
        password,
        name: login,
        find: (reader) =>
          login.includes("@") ? reader.users.byEmail(login) : reader.users.byUsername(login),
      },
      (tx, user, nowMs) => this.#begin(tx, actor, user, nowMs),
    );
    if (begun instanceof Fault) throw begun;
    return begun;
  }

  /** Ends the session, or all of the caller's; returns how many ended. */
  async logout(actor: Actor, sessionId: string, allSessions = false): Promise<number> {
    return this.#operations.write(actor, "session.logout", async (tx) => {
      const userId = userIdOf(actor);
      const sessions = await tx.sessions.ofUser(userId);
      const ending = sessions.filter((session) => allSessions || session.id === sessionId);
      for (const session of ending) await tx.sessions.delete(session.id);
      return {
        value: ending.length,
        targetId: allSessions ? userId : sessionId,
        targetName: actor.name,
        changedFields: [],
      };
    });
  }

  /**
   * Changes the caller's own password and ends the caller's other sessions; returns how many. Wrong
   * current passwords count towards the lock-out. On the local socket an account without a password gets
   * its first one.
   */
  async changePassword(
    actor: Actor,
    passwords: { readonly current: Secret; readonly next: Secret },
    sessionId: string | null,
  ): Promise<number> {
    const action = "session.change_password";
    return this.#operations.run(actor, action, async () => {
      const user = await this.#self(actor);
      checkPassword("new_password", passwords.next, user.username);
      if (passwords.next.reveal() === passwords.current.reveal()) {
        throw invalidField("new_password", "must differ from the current one");
      }
      const passwordHash = await this.#passwords.hash(passwords.next, askerOf(actor));
      const change = (tx: KeysTx, current: User, nowMs: number): Promise<Done<number>> =>
        changeTo(tx, { ...current, passwordHash, updatedAt: nowMs }, sessionId);
      if (user.passwordHash === null && actor.via === "SOCKET") {
        return this.#operations.write(actor, action, (tx, nowMs) => change(tx, user, nowMs));
      }
      const { current: password } = passwords;
      return this.#gate.pass(
        { actor, action, password, find: (reader) => reader.users.get(user.id) },
        change,
      );
    });
  }

  /**
   * Asks a caller who signed in with a password for it once more, before a secret is shown. Callers on the local socket
   * and callers with an issuer's token have none to give. Throws `invalid_argument` or `login_failed`.
   */
  async confirm(actor: Actor, password: Secret | undefined): Promise<void> {
    if (actor.via !== "SESSION" && actor.via !== "COOKIE") return;
    if (password === undefined || password.length === 0) {
      throw invalidField("password", "give your password again to see a secret");
    }
    const user = await this.#self(actor);
    await this.#gate.pass(
      {
        actor,
        action: "session.confirm_password",
        password,
        find: (reader) => reader.users.get(user.id),
      },
      async (tx, current) => {
        await tx.users.update(current);
        return {
          value: undefined,
          targetId: user.id,
          targetName: user.username,
          changedFields: [],
          note: "password confirmed",
        };
      },
    );
  }

  async #self(actor: Actor): Promise<User> {
    const id = userIdOf(actor);
    return this.#operations.read(actor, "session.who_am_i", async (reader) =>
      found(await reader.users.get(id), "user", id),
    );
  }

  async #begin(
    tx: KeysTx,
    actor: Actor,
    user: User,
    nowMs: number,
  ): Promise<Done<BegunSession | Fault>> {
    const target = { targetId: user.id, targetName: user.username, changedFields: [] };
    const refusal = refusalOf(user);
    if (refusal !== undefined) {
      return { ...target, value: refusal, outcome: "DENIED", note: "account does not work" };
    }
    const signedIn: User = { ...user, lastLoginAt: nowMs };
    await tx.users.update(signedIn);
    await makeRoom(tx, user.id);
    const token = this.#tokens.generate();
    const session: Session = {
      id: this.#ids.next("ses"),
      userId: user.id,
      tokenHash: this.#tokens.hash(token.reveal()),
      createdAt: nowMs,
      expiresAt: nowMs + this.#settings.values.sessionMinutes * MINUTE_MS,
      ip: actor.ip,
    };
    await tx.sessions.deleteExpired(this.#clock.now());
    await tx.sessions.insert(session);
    const who = { ...actor, userId: user.id, name: user.username, role: user.role };
    return { ...target, value: { token, session, user: signedIn }, note: session.id, actor: who };
  }
}

async function changeTo(tx: KeysTx, user: User, sessionId: string | null): Promise<Done<number>> {
  await tx.users.update(user);
  const sessions = await tx.sessions.ofUser(user.id);
  const others = sessions.filter((session) => session.id !== sessionId);
  if (others.length === sessions.length) await endSessions(tx, user.id);
  else for (const session of others) await tx.sessions.delete(session.id);
  return {
    value: others.length,
    targetId: user.id,
    targetName: user.username,
    changedFields: ["password"],
  };
}

/** Ends the oldest sessions of a user who has as many as are allowed. */
async function makeRoom(tx: KeysTx, userId: string): Promise<void> {
  const sessions = await tx.sessions.ofUser(userId);
  const excess = sessions.length - SESSIONS_PER_USER_MAX + 1;
  if (excess <= 0) return;
  const oldest = sessions.toSorted((a, b) => a.createdAt - b.createdAt).slice(0, excess);
  for (const session of oldest) await tx.sessions.delete(session.id);
}

function refusalOf(user: User): Fault | undefined {
  if (user.state === "BANNED") {
    return bannedFault(user);
  }
  if (user.state === "DISABLED") {
    return new Fault(
      "permission_denied",
      "This account is switched off; an admin can switch it on.",
    );
  }
  return undefined;
}
