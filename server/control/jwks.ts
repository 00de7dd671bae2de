import { createLocalJWKSet, type JSONWebKeySet } from "jose";
import type { Clock } from "../core/clock.js";
import { Fault } from "../core/fault.js";

/** How long fetched keys are used without asking again. */
const FRESH_MS = 10 * 60_000;
/** An unknown key may be a new one; the issuer is asked for it at most this often. */
const ASK_AGAIN_MS = 30_000;
const TIMEOUT_MS = 5_000;

/** Reads a document of the issuer; rejects when there is no answer. */
export type HttpGet = (request: {
  readonly url: string;
  readonly timeoutMs: number;
}) => Promise<{ readonly status: number; readonly text: string }>;

export type KeySet = ReturnType<typeof createLocalJWKSet>;

export interface JwksOptions {
  readonly issuer: string;
  /** Undefined asks the issuer's discovery document. */
  readonly jwksUrl: string | undefined;
  readonly httpGet: HttpGet;
  readonly clock: Clock;
}

/** The public keys of an issuer, kept for ten minutes, or longer while the issuer does not answer. */
export class Jwks {
  readonly #options: JwksOptions;
  #keys: KeySet | undefined;
  #fetchedAt = Number.NEGATIVE_INFINITY;
  #askedAt = Number.NEGATIVE_INFINITY;
  /** When an unknown key was last looked for. */
  #soughtAt = Number.NEGATIVE_INFINITY;
  #fetching: Promise<void> | undefined;

  constructor(options: JwksOptions) {
    this.#options = options;
  }

  /** Throws Fault `upstream_unreachable` when no keys have ever been fetched. */
  async keys(): Promise<KeySet> {
    const nowMs = this.#options.clock.monotonic();
    if (this.#keys === undefined || nowMs - this.#fetchedAt > FRESH_MS) {
      await this.#refresh(nowMs);
    }
    if (this.#keys !== undefined) return this.#keys;
    throw unreachable(this.#options.issuer);
  }

  /** Fetches the keys again, after a token that none of them signed; undefined when it is too early for that. */
  async newer(): Promise<KeySet | undefined> {
    const nowMs = this.#options.clock.monotonic();
    if (nowMs - this.#soughtAt < ASK_AGAIN_MS) {
      // Another token with the same new key may have had it fetched a moment ago.
      if (this.#fetching === undefined) return undefined;
    } else {
      this.#soughtAt = nowMs;
      this.#askedAt = Number.NEGATIVE_INFINITY;
    }
    await this.#refresh(nowMs);
    return this.#keys;
  }

  async #refresh(nowMs: number): Promise<void> {
    if (this.#fetching === undefined) {
      // A flood of tokens must not become a flood of requests to an issuer that is down.
      const isEarly = nowMs - this.#askedAt < (this.#keys === undefined ? 1_000 : ASK_AGAIN_MS);
      if (isEarly) return;
      this.#askedAt = nowMs;
      this.#fetching = this.#fetch(nowMs).finally(() => (this.#fetching = undefined));
    }
    try {
      await this.#fetching;
    } catch (error) {
      // The keys fetched before can still verify.
      if (this.#keys === undefined) throw error;
    }
  }

  async #fetch(nowMs: number): Promise<void> {
    const { issuer, jwksUrl } = this.#options;
    const document = await this.#get(jwksUrl ?? (await this.#discover()));
    if (!Array.isArray(document["keys"])) throw unreachable(issuer);
    this.#keys = createLocalJWKSet(document as unknown as JSONWebKeySet);
    this.#fetchedAt = nowMs;
  }

  async #discover(): Promise<string> {
    const { issuer } = this.#options;
    const at = `${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`;
    const document = await this.#get(at);
    const { issuer: named, jwks_uri: url } = document;
    // With the document of another issuer, that issuer's users could sign in here.
    const isSafe = typeof url === "string" && sameSecurity(url, issuer);
    if (named === issuer && isSafe) return url;
    throw unreachable(issuer);
  }

  async #get(url: string): Promise<Readonly<Record<string, unknown>>> {
    const { issuer, httpGet } = this.#options;
    try {
      const { status, text } = await httpGet({ url, timeoutMs: TIMEOUT_MS });
      const document: unknown = status === 200 ? JSON.parse(text) : undefined;
      if (typeof document === "object" && document !== null) return { ...document };
    } catch (error) {
      throw unreachable(issuer, error);
    }
    throw unreachable(issuer);
  }
}

/** An issuer with TLS must not name an address without TLS for its keys. */
function sameSecurity(url: string, issuer: string): boolean {
  return url.startsWith("https://") || (issuer.startsWith("http://") && url.startsWith("http://"));
}

function unreachable(issuer: string, cause?: unknown): Fault {
  return new Fault(
    "upstream_unreachable",
    `The keys of ${issuer} cannot be fetched, so its tokens cannot be checked; try again, or sign in with a password.`,
    { ...(cause === undefined ? {} : { cause }), retryAfterSeconds: 5 },
  );
}
