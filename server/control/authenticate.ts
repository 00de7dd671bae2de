import type { Actor } from "../core/audit.js";
import { Fault, toFault } from "../core/fault.js";
import type { Credential, Peer } from "./context.js";
import type { HeaderLines } from "./header-lines.js";
import { SESSION_COOKIE } from "./session-cookie.js";

/**
 * What authentication needs to know of people and keys. Each function throws a Fault for a credential that is not good.
 */
export interface Identities {
  /** The administrator of this host, for the local socket. */
  localAdmin(): Actor;
  bySession(token: string, ip: string): Promise<Identity>;
  /** A client key has its owner's USER rights at most. */
  byClientKey(presented: string, ip: string): Identity;
  /** Undefined when no issuer of tokens is configured. */
  readonly byJwt: ((token: string, ip: string) => Promise<Identity>) | undefined;
  /** Why a caller of before may not go on, with the same credential and in the same role; undefined where it may. */
  endOf(identity: Identity): Promise<Fault | undefined>;
  /** Hears the ids of users and client keys for which that may have changed. */
  onChange(listener: (id: string) => void): void;
}

export interface Identity {
  readonly actor: Actor;
  readonly credential: Credential;
  /** When the credential runs out, milliseconds since the epoch; absent or null where it does not. */
  readonly endsAt?: number | null;
}

/** What came of a request's credential; neither where it has none. */
export interface Authentication {
  readonly identity?: Identity;
  /** Why the credential is not good. */
  readonly refusal?: Fault;
}

const SESSION_TOKEN_PREFIX = "lks_";
const JWT_SHAPE = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;

/**
 * Finds out who calls: `Authorization: Bearer`, then the session cookie, then `X-Session-API-Key`, then
 * the local socket. A credential that is present but not good is refused, never skipped. Undefined means
 * that nothing was presented.
 */
export async function authenticate(
  identities: Identities,
  headers: HeaderLines,
  peer: Peer,
): Promise<Authentication> {
  try {
    const identity = await identityOf(identities, headers, peer);
    return identity === undefined ? {} : { identity };
  } catch (thrown) {
    return { refusal: toFault(thrown) };
  }
}

/** Whether the credential of a request is one that memory knows, so that no database and no other server is asked. */
export function isInMemory(identities: Identities, headers: HeaderLines): boolean {
  const authorization = headers.get("authorization");
  if (!authorization) return !headers.get("cookie") && Boolean(headers.get("x-session-api-key"));
  const token = tokenIn(authorization);
  return token === undefined || !isTokenOfPerson(identities, token);
}

async function identityOf(
  identities: Identities,
  headers: HeaderLines,
  peer: Peer,
): Promise<Identity | undefined> {
  const authorization = headers.get("authorization");
  if (authorization) return byBearer(identities, bearerOf(authorization), peer.ip);
  const cookie = cookieValue(headers.get("cookie"), SESSION_COOKIE);
  if (cookie) {
    requireSameOrigin(headers);
    const identity = await byToken(identities, cookie, peer.ip);
    return { ...identity, actor: { ...identity.actor, via: "COOKIE" } };
  }
  const apiKey = headers.get("x-session-api-key");
  if (apiKey) return identities.byClientKey(apiKey, peer.ip);
  if (peer.local) return { actor: identities.localAdmin(), credential: { kind: "SOCKET" } };
  return undefined;
}

async function byBearer(identities: Identities, token: string, ip: string): Promise<Identity> {
  return isTokenOfPerson(identities, token)
    ? byToken(identities, token, ip)
    : identities.byClientKey(token, ip);
}

/** A session's token or a JWT. Without an issuer of JWTs, what looks like one may be another system's key that was imported. */
function isTokenOfPerson({ byJwt }: Identities, token: string): boolean {
  return token.startsWith(SESSION_TOKEN_PREFIX) || (byJwt !== undefined && JWT_SHAPE.test(token));
}

async function byToken(identities: Identities, token: string, ip: string): Promise<Identity> {
  if (token.startsWith(SESSION_TOKEN_PREFIX)) return identities.bySession(token, ip);
  if (JWT_SHAPE.test(token) && identities.byJwt !== undefined) return identities.byJwt(token, ip);
  throw new Fault(
    "unauthenticated",
    "This token is not one of Latchkey's, and no issuer of JWTs is configured.",
  );
}

function bearerOf(authorization: string): string {
  const token = tokenIn(authorization);
  if (token !== undefined) return token;
  throw new Fault(
    "unauthenticated",
    "The authorization header must read `Bearer`, a space and a session token or client key.",
  );
}

function tokenIn(authorization: string): string | undefined {
  return /^Bearer +([^\s]+)$/i.exec(authorization.trim())?.[1];
}

function cookieValue(header: string | null, name: string): string | undefined {
  for (const part of (header ?? "").split(";")) {
    const [key, value] = part.split("=", 2);
    if (key?.trim() === name) return value?.trim();
  }
  return undefined;
}

/** A cookie is sent by a browser on its own, so another site's page could use it: its Origin must be ours. */
function requireSameOrigin(headers: HeaderLines): void {
  const origin = headers.get("origin") ?? headers.get("referer");
  const host = headers.get("host") ?? headers.get(":authority");
  if (origin !== null && host !== null && URL.canParse(origin) && new URL(origin).host === host) {
    return;
  }
  throw new Fault("permission_denied", "This cookie came from another site (跨站请求被拒绝).");
}
