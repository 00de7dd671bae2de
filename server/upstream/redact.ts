import type { Secret } from "../core/secret.js";

/** Shorter texts occur by chance; no provider's key is that short. */
const SECRET_CHARS_MIN = 8;
const HALF_CHARS_MIN = 12;
const REDACTED = "[redacted]";
const NOTHING = Buffer.alloc(0);

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

/** As `redactBytes`, of bytes that come in pieces: so many of the last are held back as the key may begin in. */
export class SecretSieve {
  readonly #secret: Secret;
  /** One of them is in whatever the key is in: a search for few, in bytes, costs a tenth of a look for all. */
  readonly #sought: readonly Buffer[];
  readonly #heldMax: number;
  #held: Buffer = NOTHING;

  constructor(secret: Secret) {
    const forms = formsOf(secret.reveal());
    this.#secret = secret;
    this.#sought = forms
      .filter((form, at) =>
        forms.every((each, i) => i === at || !form.includes(each) || (form === each && at < i)),
      )
      .map((form) => Buffer.from(form, "latin1"));
    this.#heldMax = Math.max(...forms.map((form) => form.length)) - 1;
  }

  /** What may go on now. */
  push(piece: Buffer): Buffer {
    const all = this.#held.length === 0 ? piece : Buffer.concat([this.#held, piece]);
    const isClean = !this.#sought.some((form) => all.includes(form));
    const clean = isClean ? all : redactBytes(all, this.#secret);
    const end = Math.max(0, clean.length - this.#heldMax);
    this.#held = clean.subarray(end);
    return clean.subarray(0, end);
  }

  /** What is held back: nothing follows. */
  rest(): Buffer {
    const rest = this.#held;
    this.#held = NOTHING;
    return rest;
  }
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
