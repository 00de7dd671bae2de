import type { Actor } from "../core/audit.js";
import { DAY_MS, MINUTE_MS } from "../core/durations.js";
import { addressBlock } from "../core/ip.js";
import type { SignInPlace, User } from "../core/user.js";

/** An address from which nobody signed in for so long is like any other. */
const KNOWN_DAYS = 90;
/** Addresses of one user that are remembered; of more, the one that was used longest ago is forgotten. */
const KNOWN_MAX = 16;

/** All addresses together from which the user has not signed in of late. */
const ELSEWHERE = "elsewhere";
/** Whoever has signed in already and gives the password once more, from wherever. */
const SIGNED_IN = "signed in";

interface LockRules {
  readonly lockoutFailures: number;
  readonly lockoutMinutes: number;
}

/** Where wrong passwords of this caller would count, if the user is known there. */
export function placeOf(actor: Actor): string {
  return actor.userId === null ? addressBlock(actor.ip) : SIGNED_IN;
}

/** No lock lasts longer than the rules say: where the clock was far ahead when it began, it would last for a year. */
export function isLockedAt(user: User, place: string, nowMs: number, rules: LockRules): boolean {
  const leftMs = (entryAt(user, place, nowMs).lockedUntil ?? 0) - nowMs;
  return leftMs > 0 && leftMs <= rules.lockoutMinutes * MINUTE_MS;
}

/** The user after one more wrong password at a place that was not locked. */
export function afterWrong(
  user: User,
  place: string,
  nowMs: number,
  rules: LockRules,
): { readonly user: User; readonly locks: boolean } {
  const before = entryAt(user, place, nowMs);
  // A lock-out that has ended wipes the slate.
  const failedLogins = (before.lockedUntil === null ? before.failedLogins : 0) + 1;
  const locks = failedLogins >= rules.lockoutFailures;
  const lockedUntil = locks ? nowMs + rules.lockoutMinutes * MINUTE_MS : null;
  return {
    user: withPlaces(user, [...others(user, before), { ...before, failedLogins, lockedUntil }]),
    locks,
  };
}

/** The user after the right password: an address becomes known, and what went wrong there is forgotten. */
export function afterRight(user: User, place: string, nowMs: number): User {
  const rest = others(user, entryAt(user, place, nowMs));
  if (place === SIGNED_IN) return withPlaces(user, rest);
  const known = rest
    .filter((each) => isKnown(each, nowMs))
    .toSorted((a, b) => (b.signedInAt ?? 0) - (a.signedInAt ?? 0))
    .slice(0, KNOWN_MAX - 1);
  const here = { place, signedInAt: nowMs, failedLogins: 0, lockedUntil: null };
  return withPlaces(user, [here, ...known, ...rest.filter((each) => each.signedInAt === null)]);
}

/** The user as nobody had ever given a wrong password; known addresses stay so. */
export function withoutLocks(user: User): User {
  const known = user.places.filter(({ signedInAt }) => signedInAt !== null);
  return withPlaces(
    user,
    known.map((each) => ({ ...each, failedLogins: 0, lockedUntil: null })),
  );
}

function entryAt(user: User, place: string, nowMs: number): SignInPlace {
  const here = user.places.find((each) => each.place === place);
  if (here !== undefined && (place === SIGNED_IN || isKnown(here, nowMs))) return here;
  const name = place === SIGNED_IN ? SIGNED_IN : ELSEWHERE;
  const shared = user.places.find((each) => each.place === name);
  return shared ?? { place: name, signedInAt: null, failedLogins: 0, lockedUntil: null };
}

function isKnown({ signedInAt }: SignInPlace, nowMs: number): boolean {
  return signedInAt !== null && signedInAt > nowMs - KNOWN_DAYS * DAY_MS;
}

function others(user: User, entry: SignInPlace): readonly SignInPlace[] {
  return user.places.filter(({ place }) => place !== entry.place);
}

/** What people are shown is of all places: how often it went wrong, and the lock that ends last. */
function withPlaces(user: User, places: readonly SignInPlace[]): User {
  const ends = places.flatMap(({ lockedUntil }) => (lockedUntil === null ? [] : [lockedUntil]));
  return {
    ...user,
    places,
    failedLogins: places.reduce((sum, { failedLogins }) => sum + failedLogins, 0),
    lockedUntil: ends.length === 0 ? null : Math.max(...ends),
  };
}
