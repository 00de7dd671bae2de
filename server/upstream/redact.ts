import type { Secret } from "../core/secret.js";

/** Shorter texts occur by chance; no provider's key is that short. */
const SECRET_CHARS_MIN = 8;
const HALF_CHARS_MIN = 12;
const REDACTED = "[redacted]";

/**
 * Takes a secret out of a provider's text, in the forms in which servers echo what they were sent. Error
 * bodies go to callers, who must not learn whose key was used for them.
 */
export function redact(text: string, secret: Secret | undefined): string {
  if (secret === undefined || secret.length < SECRET_CHARS_MIN) return text;
  let out = text;
  for (const form of formsOf(secret.reveal())) out = out.replaceAll(form, REDACTED);
  return out;
}

/** As `redact`, of bytes of any kind; copied only where there is something to take out. */
export function redactBytes(bytes: Buffer, secret: Secret): Buffer {
  const text = bytes.toString("latin1");
  const clean = redact(text, secret);
  return clean === text ? bytes : Buffer.from(clean, "latin1");
}

function formsOf(clear: string): readonly string[] {
  const base64 = Buffer.from(clear).toString("base64").replace(/=+$/, "");
  return [
    clear,
    encodeURIComponent(clear),
    JSON.stringify(clear).slice(1, -1),
    base64,
    base64.replaceAll("+", "-").replaceAll("/", "_"),
    Buffer.from(clear).toString("hex"),
    ...halvesOf(clear),
  ];
}

/** Some servers show a part of the key; of a long one a half is a secret by itself. */
function halvesOf(clear: string): readonly string[] {
  const middle = Math.floor(clear.length / 2);
  return middle < HALF_CHARS_MIN ? [] : [clear.slice(0, middle), clear.slice(middle)];
}
