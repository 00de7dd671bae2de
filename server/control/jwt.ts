import { errors, jwtVerify, type JWTPayload } from "jose";
import type { Clock } from "../core/clock.js";
import { Fault } from "../core/fault.js";
import { Jwks, type HttpGet, type KeySet } from "./jwks.js";

export type { HttpGet };

const TOKEN_CHARS_MAX = 8192;
const NAME_CHARS_MAX = 320;

export interface JwtOptions {
  readonly issuer: string;
  readonly audience: string;
  /** Undefined asks the issuer's discovery document. */
  readonly jwksUrl: string | undefined;
  /** Names of JWA signatures; only asymmetric ones belong here. */
  readonly algorithms: readonly string[];
  readonly clockToleranceSeconds: number;
  /** Claim that names the user here. */
  readonly nameClaim: string;
  readonly httpGet: HttpGet;
  readonly clock: Clock;
}

/** Checks the JWTs of one issuer. */
export class JwtVerifier {
  readonly #options: JwtOptions;
  readonly #jwks: Jwks;

  constructor(options: JwtOptions) {
    this.#options = options;
    this.#jwks = new Jwks(options);
  }

  /**
   * The name of the user whom a token stands for. Throws Fault `unauthenticated` saying what is wrong with it,
   * `session_expired` when its time is over, `upstream_unreachable` when the issuer's keys cannot be fetched.
   */
  async nameOf(token: string): Promise<string> {
    if (token.length > TOKEN_CHARS_MAX) {
      throw refused(`is longer than ${TOKEN_CHARS_MAX} characters`);
    }
    return this.#name(await this.#verified(token));
  }

  async #verified(token: string): Promise<JWTPayload> {
    try {
      return await this.#verify(token, await this.#jwks.keys());
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw toFault(error, this.#options);
    }
    // The issuer may have a new key since the last look.
    const newer = await this.#jwks.newer();
    if (newer === undefined) throw unknownKey(this.#options.issuer);
    try {
      return await this.#verify(token, newer);
    } catch (error) {
      throw toFault(error, this.#options);
    }
  }

  async #verify(token: string, keys: KeySet): Promise<JWTPayload> {
    const { issuer, audience, algorithms, clockToleranceSeconds, clock } = this.#options;
    const { payload } = await jwtVerify(token, keys, {
      issuer,
      audience,
      algorithms: [...algorithms],
      clockTolerance: clockToleranceSeconds,
      currentDate: new Date(clock.now()),
      requiredClaims: ["exp", "sub"],
    });
    return payload;
  }

  #name(payload: JWTPayload): string {
    const { nameClaim } = this.#options;
    const name = payload[nameClaim];
    if (typeof name !== "string" || name.trim() === "" || name.length > NAME_CHARS_MAX) {
      throw refused(`has no claim \`${nameClaim}\` that names a user`);
    }
    // Without verification anyone could enter another person's address in their account.
    if (nameClaim === "email" && payload["email_verified"] !== true) {
      throw refused("names an e-mail address that its issuer has not verified");
    }
    return name;
  }
}

function toFault(error: unknown, { issuer, audience, algorithms }: JwtOptions): unknown {
  if (error instanceof Fault) return error;
  if (error instanceof errors.JWTExpired) {
    return new Fault("session_expired", "This token has expired; get a new one from its issuer.");
  }
  if (error instanceof errors.JWTClaimValidationFailed) {
    const wanted: Readonly<Record<string, string>> = {
      iss: `was not issued by ${issuer}`,
      aud: `is not for ${audience}`,
      nbf: "is not valid yet",
    };
    return refused(wanted[error.claim] ?? `lacks a claim: ${error.claim}`, error);
  }
  if (error instanceof errors.JOSEAlgNotAllowed) {
    return refused(`is not signed with one of ${algorithms.join(", ")}`, error);
  }
  if (error instanceof errors.JWKSNoMatchingKey) return unknownKey(issuer);
  if (error instanceof errors.JWSSignatureVerificationFailed) {
    return refused("has a signature that is not right", error);
  }
  if (error instanceof errors.JOSEError) return refused("cannot be read", error);
  return error;
}

function unknownKey(issuer: string): Fault {
  return refused(`is signed with a key that ${issuer} does not have`);
}

function refused(why: string, cause?: unknown): Fault {
  return new Fault("unauthenticated", `This token ${why}.`, cause === undefined ? {} : { cause });
}
