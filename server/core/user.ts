import type { Limits } from "./limits.js";

/** A person or service that owns keys. All times are milliseconds since the Unix epoch. */
export interface User {
  readonly id: string;
  readonly username: string;
  readonly email: string | null;
  /** scrypt verifier; null where the user signs in only from outside or over the local socket. */
  readonly passwordHash: string | null;
  readonly role: Role;
  /** Shown, filtered and sorted by; it grants nothing. */
  readonly trustLevel: number;
  readonly state: UserState;
  /** Wrong passwords since the last right one, of all places together. */
  readonly failedLogins: number;
  /** The lock-out that ends last, of all places; null without any. */
  readonly lockedUntil: number | null;
  /** Where the user signs in, and where wrong passwords came from. */
  readonly places: readonly SignInPlace[];
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly lastLoginAt: number | null;
  /** Of all the user's client keys together. */
  readonly limits: Limits;
  /** For admins. */
  readonly note: string;
  /** What the user is told about the ban; empty without a ban. */
  readonly banReason: string;
  /** Rises with each change that somebody other than the user makes. */
  readonly version: number;
}

/** Where passwords of a user come from. Each place is locked out by itself. */
export interface SignInPlace {
  /** An address, the /64 block of an IPv6 one, or a word for all others or for signed-in callers. */
  readonly place: string;
  /** Of an address: when the user last signed in from there. */
  readonly signedInAt: number | null;
  readonly failedLogins: number;
  readonly lockedUntil: number | null;
}

export type Role = "ADMIN" | "OPERATOR" | "USER";
export type UserState = "ACTIVE" | "BANNED" | "DISABLED";

/** A signed-in user on the control port. Only a hash of its token is stored. */
export interface Session {
  readonly id: string;
  readonly userId: string;
  /** SHA-256 of the token, hex. */
  readonly tokenHash: string;
  readonly createdAt: number;
  readonly expiresAt: number;
  readonly ip: string;
}
