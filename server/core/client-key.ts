import type { Limits } from "./limits.js";
import type { SealedSecret } from "./sealed.js";

/** STANDARD draws on its owner's keys, SUPER on all public keys, BYOR is the one recoverable key of a user. */
export type ClientKeyKind = "STANDARD" | "SUPER" | "BYOR";
export type ClientKeyFormat = "SK" | "UUID" | "ALNUM32";
export type ClientKeyState = "ACTIVE" | "DISABLED" | "EXPIRED" | "REVOKED";

/** What a key can be restricted to: families of endpoints on the proxy port, and the control port. */
export const SCOPES = [
  "chat",
  "embeddings",
  "images",
  "audio",
  "moderations",
  "files",
  "control",
] as const;
export type Scope = (typeof SCOPES)[number];

export function isScope(text: string): text is Scope {
  return SCOPES.some((scope) => scope === text);
}

/** True unless the key is restricted to other scopes. */
export function inScope(key: Pick<ClientKey, "scopes">, scope: Scope): boolean {
  return key.scopes.length === 0 || key.scopes.includes(scope);
}

/** What a caller presents to the proxy; only its MAC is kept. Times in milliseconds since the epoch. */
export interface ClientKey {
  readonly id: string;
  readonly ownerId: string;
  readonly kind: ClientKeyKind;
  readonly format: ClientKeyFormat;
  /** HMAC-SHA-256 under the pepper of `pepperVersion`, hex; pepper version 0 marks an imported plain SHA-256. */
  readonly mac: string;
  readonly pepperVersion: number;
  /** The key before a rotation, accepted until `graceUntil`. */
  readonly previousMac: string | null;
  readonly graceUntil: number | null;
  /** Only of recoverable keys. */
  readonly sealedCopy: SealedSecret | null;
  /** What listings show, e.g. `sk-lk-Ab3d`. */
  readonly prefix: string;
  readonly name: string;
  readonly description: string;
  readonly enabled: boolean;
  readonly revokedAt: number | null;
  readonly expiresAt: number | null;
  /** Model ids or globs; empty allows all. */
  readonly modelAllowlist: readonly string[];
  /** CIDR blocks; empty allows all. */
  readonly ipAllowlist: readonly string[];
  /** Empty allows all. */
  readonly scopes: readonly Scope[];
  readonly limits: Limits;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly rotatedAt: number | null;
  readonly lastUsedAt: number | null;
  /** Address of the last accepted request. */
  readonly lastUsedIp: string | null;
  /** When it was last used from an address that it had never been used from; its very first address does not count. */
  readonly newAddressAt: number | null;
  readonly usageCount: number;
  readonly version: number;
}

/**
 * The part of a client key that matters when it is presented. It is in memory for every key, so what only listings
 * show is left out.
 */
export type KnownClientKey = Pick<
  ClientKey,
  | "id"
  | "ownerId"
  | "kind"
  | "mac"
  | "pepperVersion"
  | "previousMac"
  | "graceUntil"
  | "prefix"
  | "name"
  | "enabled"
  | "revokedAt"
  | "expiresAt"
  | "modelAllowlist"
  | "ipAllowlist"
  | "scopes"
  | "limits"
>;

/** The state that listings show: REVOKED over EXPIRED over DISABLED over ACTIVE. */
export function clientKeyState(
  key: Pick<ClientKey, "revokedAt" | "expiresAt" | "enabled">,
  nowMs: number,
): ClientKeyState {
  if (key.revokedAt !== null) return "REVOKED";
  if (key.expiresAt !== null && key.expiresAt <= nowMs) return "EXPIRED";
  if (!key.enabled) return "DISABLED";
  return "ACTIVE";
}

/** Who holds a part of something that callers share. It is shared out among users first, then among each user's client keys. */
export interface Holder {
  readonly clientKey: { readonly id: string };
  readonly ownerId: string;
}

/** The holder of what no caller asked for, such as requests of the server's own: it counts as one user's. */
export const NOBODY: Holder = { ownerId: "", clientKey: { id: "" } };

/** Who makes a call: the client key and its owner, as known at admission. */
export interface Principal extends Holder {
  readonly clientKey: KnownClientKey;
}

/** Whose provider keys the caller draws on: the id of their owner, or `*` for the pool, which every SUPER key draws on. */
export function drawsOn({ clientKey, ownerId }: Principal): string {
  return clientKey.kind === "SUPER" ? "*" : ownerId;
}
