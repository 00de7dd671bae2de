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
  readonly failedLogins: number;
  readonly lockedUntil: number | null;
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
