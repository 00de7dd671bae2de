import type { Actor } from "../core/audit.js";
import type { Clock } from "../core/clock.js";
import { Fault } from "../core/fault.js";
import type { Secret } from "../core/secret.js";
import type { User } from "../core/user.js";
import { Guesses, type GuessesOptions } from "./guesses.js";
import type { Done, Operations } from "./operations.js";
import type { Action } from "./policy.js";
import type { KeysReader, KeysTx, PasswordAsker, Passwords, PasswordVerdict } from "./ports.js";
import type { Settings } from "./settings.js";
import { afterRight, afterWrong, isLockedAt, placeOf } from "./sign-in-places.js";

/** An attempt to prove that one knows a password. */
export interface Attempt {
  readonly actor: Actor;
  readonly action: Action;
  readonly password: Secret;
  readonly find: (reader: KeysReader) => Promise<User | undefined>;
  /** Of somebody who signs in: the name that was typed. */
  readonly name?: string;
}

/**
 * The one place where passwords are checked. Failures are counted in the store, so that a lock-out
 * survives a restart; an unknown user, a locked one and a wrong password take the same work, write the
 * same amount and read the same from outside.
 */
export class PasswordGate {
  readonly #operations: Operations;
  readonly #passwords: Passwords;
  readonly #settings: Settings;
  readonly #clock: Clock;
  readonly #guesses: Guesses;

  constructor(options: {
    operations: Operations;
    passwords: Passwords;
    settings: Settings;
    clock: Clock;
    /** Nobody brings the calls of others where absent. */
    bringsOthers?: GuessesOptions["bringsOthers"];
  }) {
    this.#operations = options.operations;
    this.#passwords = options.passwords;
    this.#settings = options.settings;
    this.#clock = options.clock;
    const { clock, bringsOthers = () => false } = options;
    this.#guesses = new Guesses({ clock, bringsOthers });
  }

  /**
   * Runs `succeed` in the transaction that also clears the failures, if the password is right. Throws
   * `login_failed` otherwise, `overloaded` when too many wait for a check, and `rate_limit_exceeded` for an address with
   * too many wrong ones. Of many attempts at once no
   * more count than of as many one after the other: each is judged again in its transaction.
   */
  async pass<T>(
    attempt: Attempt,
    succeed: (tx: KeysTx, user: User, nowMs: number) => Promise<Done<T>>,
  ): Promise<T> {
    const { actor, action, password } = attempt;
    const place = placeOf(actor);
    const guess =
      actor.userId === null ? this.#guesses.begin(actor.ip, attempt.name ?? "") : undefined;
    const asker = guess?.asker ?? askerOf(actor);
    let user: User | undefined;
    let verifier: string | null = null;
    // Not before its turn: guesses by the hundred would keep the database from others.
    const stored = async (): Promise<string | null> => {
      user = await this.#operations.read(actor, action, attempt.find);
      if (user !== undefined && !this.#isLocked(user, place)) verifier = user.passwordHash ?? null;
      return verifier;
    };
    const verdict = await this.#passwords.verify(password, stored, asker);
    const newHash = verdict.rehash ? await this.#passwords.hash(password, asker) : verifier;
    const outcome = await this.#operations.write(
      actor,
      action,
      async (tx, nowMs): Promise<Done<{ readonly value: T } | undefined>> => {
        const current = user === undefined ? undefined : await tx.users.get(user.id);
        if (current === undefined || !this.#fits(verdict, verifier, current, place)) {
          return this.#countFailure(tx, current, place, nowMs);
        }
        const cleared = afterRight(current, place, nowMs);
        const done = await succeed(tx, { ...cleared, passwordHash: newHash }, nowMs);
        return { ...done, value: { value: done.value } };
      },
    );
    if (outcome === undefined) throw loginFailed();
    guess?.wasRight();
    return outcome.value;
  }

  /** The account may have been locked, or given another password, while the check ran. */
  #fits(verdict: PasswordVerdict, verifier: string | null, current: User, place: string): boolean {
    return verdict.ok && !this.#isLocked(current, place) && current.passwordHash === verifier;
  }

  #isLocked(user: User, place: string): boolean {
    return isLockedAt(user, place, this.#clock.now(), this.#settings.values);
  }

  async #countFailure(
    tx: KeysTx,
    user: User | undefined,
    place: string,
    nowMs: number,
  ): Promise<Done<undefined>> {
    const failed = { value: undefined, changedFields: [], outcome: "FAILED" } as const;
    // What was typed is not kept: people type passwords into the wrong field.
    if (user === undefined) {
      return { ...failed, targetId: null, targetName: null, note: "unknown user" };
    }
    const target = { targetId: user.id, targetName: user.username };
    if (this.#isLocked(user, place)) return { ...failed, ...target, note: "locked out" };
    const { user: next, locks } = afterWrong(user, place, nowMs, this.#settings.values);
    await tx.users.update(next);
    return {
      ...failed,
      ...target,
      note: locks ? "wrong password; locked out now" : "wrong password",
    };
  }
}

/** Whose turn it takes to hash a password of somebody who has signed in. */
export function askerOf({ userId }: Actor): PasswordAsker {
  const id = userId ?? "";
  return { holder: { ownerId: id, clientKey: { id } }, isStranger: userId === null };
}

function loginFailed(): Fault {
  return new Fault(
    "login_failed",
    "Incorrect username or password. After several failures an account is locked for a while.",
  );
}
