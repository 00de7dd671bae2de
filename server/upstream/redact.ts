import type { Secret } from "../core/secret.js";
import { withoutEscapes } from "./unescaped.js";

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
  const forms = formsOf(secret.reveal());
  const places = joined([...placesOf(forms, text), ...escapedPlaces(forms, text)]);
  let out = "";
  let from = 0;
  for (const { start, end } of places) {
    out += text.slice(from, start) + REDACTED;
    from = end;
  }
  return from === 0 ? text : out + text.slice(from);
}

/** Part of a text, from its first character to the one behind its last. */
interface Place {
  readonly start: number;
  readonly end: number;
}

function placesOf(forms: readonly string[], text: string): readonly Place[] {
  return forms.flatMap((form) => {
    const places: Place[] = [];
    let start = text.indexOf(form);
    for (; start >= 0; start = text.indexOf(form, start + form.length)) {
      places.push({ start, end: start + form.length });
    }
    return places;
  });
}

/** In order, and those that touch as one. */
function joined(places: readonly Place[]): readonly Place[] {
  const all: Place[] = [];
  for (const { start, end } of places.toSorted((a, b) => a.start - b.start)) {
    const last = all.at(-1);
    if (last === undefined || start > last.end) all.push({ start, end });
    else all.splice(-1, 1, { start: last.start, end: Math.max(last.end, end) });
  }
  return all;
}

/** What is one of the forms once escapes are undone. */
function escapedPlaces(forms: readonly string[], text: string): readonly Place[] {
  const unescaped = withoutEscapes(text);
  if (unescaped === undefined) return [];
  const startOf = (at: number): number => unescaped.starts[at] ?? text.length;
  return placesOf(forms, unescaped.text).map(({ start, end }) => ({
    start: startOf(start),
    end: startOf(end),
  }));
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
  const hex = Buffer.from(clear).toString("hex");
  return [
    clear,
    encodeURIComponent(clear),
    JSON.stringify(clear).slice(1, -1),
    ...[0, 1, 2].flatMap((before) => inBase64(clear, before)),
    hex,
    hex.toUpperCase(),
    ...halvesOf(clear),
  ];
}

const BYTE_BITS = 8;
const BASE64_BITS = 6;

/**
 * What base64 makes of the key where so many bytes stand before it in a group of three: up to the end, and as far as what
 * may follow has no part in it. The same for URLs.
 */
function inBase64(clear: string, before: number): readonly string[] {
  const bytes = Buffer.from(clear);
  const all = Buffer.concat([Buffer.alloc(before), bytes])
    .toString("base64")
    .replace(/=+$/, "");
  const start = Math.ceil((before * BYTE_BITS) / BASE64_BITS);
  const end = Math.floor(((before + bytes.length) * BYTE_BITS) / BASE64_BITS);
  const own = [all.slice(start), all.slice(start, end)];
  return [...own, ...own.map((each) => each.replaceAll("+", "-").replaceAll("/", "_"))];
}

/** Some servers show a part of the key; of a long one a half is a secret by itself. */
function halvesOf(clear: string): readonly string[] {
  const middle = Math.floor(clear.length / 2);
  return middle < HALF_CHARS_MIN ? [] : [clear.slice(0, middle), clear.slice(middle)];
}
