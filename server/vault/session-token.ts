import { createHash } from "node:crypto";
import type { Random } from "../core/random.js";
import { Secret } from "../core/secret.js";

const PREFIX = "lks_";
/** 256 bits. */
const TOKEN_BYTES = 32;

/** A new session token: `lks_` and 43 base64url characters. */
export function generateSessionToken(random: Random): Secret {
  return new Secret(PREFIX + Buffer.from(random.bytes(TOKEN_BYTES)).toString("base64url"));
}

/** SHA-256 in hex: what is stored and looked up. Enough for 256 random bits, unlike for passwords. */
export function sessionTokenHash(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
