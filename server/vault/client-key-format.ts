import { crc32 } from "node:zlib";
import { assert, unreachable } from "../core/assert.js";
import type { ClientKeyFormat, ClientKeyKind } from "../core/client-key.js";
import type { Random } from "../core/random.js";
import { Secret } from "../core/secret.js";

const BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const STANDARD_PREFIX = "sk-lk_";
const SUPER_PREFIX = "sk-super-lk_";
/** 40 base62 digits are 238 bits. */
const RANDOM_DIGITS = 40;
/** 62⁶ is above 2³², so that every CRC32 fits. */
const CRC_DIGITS = 6;
const ALNUM_DIGITS = 32;
const UUID_BYTES = 16;
/** Bytes from here on are drawn again: 248 is the largest multiple of 62 in a byte. */
const UNBIASED_BELOW = 248;
/** Keys of other systems that were imported; longer ones are refused before they are hashed. */
const FOREIGN_CHARS_MIN = 8;
const FOREIGN_CHARS_MAX = 256;
/** How much of the random part listings show: too little to help a guess, enough to tell keys apart. */
const SHOWN_CHARS = 4;

const UUID_V4_SHAPE = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const ALNUM_SHAPE = /^[0-9A-Za-z]{32}$/;
const SK_BODY_SHAPE = /^[0-9A-Za-z]{46}$/;
const FOREIGN_SHAPE = /^[\x21-\x7e]+$/;

/** What a presented text can be; FOREIGN is a key that was imported from another system. */
export type ClientKeyShape = ClientKeyFormat | "FOREIGN";

/** A new client key. SUPER keys always have the SK format, so that everyone sees what they are. */
export function generateClientKey(
  random: Random,
  kind: ClientKeyKind,
  format: ClientKeyFormat,
): Secret {
  assert(kind !== "SUPER" || format === "SK", "a super key has the SK format");
  switch (format) {
    case "SK": {
      const text = prefixOf(kind) + base62(random, RANDOM_DIGITS);
      return new Secret(text + checksum(text));
    }
    case "UUID":
      return new Secret(uuid(random));
    case "ALNUM32":
      return new Secret(base62(random, ALNUM_DIGITS));
    default:
      return unreachable(format);
  }
}

/**
 * What a presented text can be, by its form and checksum alone; undefined for garbage, which is then refused
 * without a hash or a look-up. A FOREIGN one is worth a look-up only where keys of other systems were imported.
 */
export function clientKeyShape(text: string): ClientKeyShape | undefined {
  if (text.length < FOREIGN_CHARS_MIN || text.length > FOREIGN_CHARS_MAX) return undefined;
  const kind = kindOfPrefix(text);
  // What begins like one of our own keys is one of our own keys or a typing error.
  if (kind !== null) return checksumFits(text, kind) ? "SK" : undefined;
  if (UUID_V4_SHAPE.test(text)) return "UUID";
  if (ALNUM_SHAPE.test(text)) return "ALNUM32";
  return FOREIGN_SHAPE.test(text) ? "FOREIGN" : undefined;
}

/**
 * What listings show of a client key: the kind's prefix and four characters of the random part, e.g.
 * `sk-super-abc1` and `sk-lk_Ab3d`; `a1b2…` for forms without a prefix, and dots alone for short foreign keys.
 */
export function shownPrefix(text: string): string {
  const kind = kindOfPrefix(text);
  if (kind === "SUPER") return `sk-super-${part(text, SUPER_PREFIX.length)}`;
  if (kind === "STANDARD") return STANDARD_PREFIX + part(text, STANDARD_PREFIX.length);
  if (text.length < ALNUM_DIGITS) return "•".repeat(SHOWN_CHARS);
  // Keys of the pool gateway that Latchkey replaces keep the prefix by which their owners know them.
  const foreignPrefix = /^sk-(?:super-)?/.exec(text)?.[0] ?? "";
  const shown = foreignPrefix + part(text, foreignPrefix.length);
  return foreignPrefix === "" ? `${shown}…` : shown;
}

function part(text: string, start: number): string {
  return text.slice(start, start + SHOWN_CHARS);
}

function prefixOf(kind: ClientKeyKind): string {
  return kind === "SUPER" ? SUPER_PREFIX : STANDARD_PREFIX;
}

function kindOfPrefix(text: string): "STANDARD" | "SUPER" | null {
  if (text.startsWith(STANDARD_PREFIX)) return "STANDARD";
  return text.startsWith(SUPER_PREFIX) ? "SUPER" : null;
}

function checksumFits(text: string, kind: ClientKeyKind): boolean {
  if (!SK_BODY_SHAPE.test(text.slice(prefixOf(kind).length))) return false;
  return checksum(text.slice(0, -CRC_DIGITS)) === text.slice(-CRC_DIGITS);
}

/** CRC32 of prefix and random part in base62, most significant digit first, filled up with zeros. */
function checksum(text: string): string {
  let rest = crc32(text);
  let digits = "";
  for (let place = 0; place < CRC_DIGITS; place++) {
    digits = BASE62.charAt(rest % 62) + digits;
    rest = Math.floor(rest / 62);
  }
  return digits;
}

/** Evenly distributed: a byte modulo 62 would favour the first eight digits. */
function base62(random: Random, count: number): string {
  let text = "";
  while (text.length < count) {
    for (const byte of random.bytes(count - text.length)) {
      if (byte < UNBIASED_BELOW) text += BASE62.charAt(byte % 62);
    }
  }
  return text;
}

function uuid(random: Random): string {
  const bytes = Uint8Array.from(random.bytes(UUID_BYTES));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = Buffer.from(bytes).toString("hex");
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    hex.slice(12, 16),
    hex.slice(16, 20),
    hex.slice(20),
  ].join("-");
}
