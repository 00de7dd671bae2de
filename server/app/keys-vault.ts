import type { Random } from "../core/random.js";
import type { ClientKeyForms, SessionTokens } from "../keys/ports.js";
import { clientKeyShape, generateClientKey, shownPrefix } from "../vault/client-key-format.js";
import { generateSessionToken, sessionTokenHash } from "../vault/session-token.js";

/** Client keys by their form, with this random source. */
export function clientKeyForms(random: Random): ClientKeyForms {
  return {
    generate: (kind, format) => generateClientKey(random, kind, format),
    prefix: shownPrefix,
    recognise: clientKeyShape,
  };
}

/** Session tokens with this random source. */
export function sessionTokens(random: Random): SessionTokens {
  return { generate: () => generateSessionToken(random), hash: sessionTokenHash };
}
