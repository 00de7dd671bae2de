import { Fault } from "../../core/fault.js";
import { wipe, wipeable, wipeableCopy } from "../bytes.js";
import { KEY_BYTES } from "../sodium.js";
import { decodeBase64 } from "./wipeable-base64.js";

/** No root key in any accepted form is longer. */
export const KEY_TEXT_BYTES_MAX = 256;

const HEX_DIGITS = KEY_BYTES * 2;
/** 32 random bytes have about 30 different values; fewer than 16 does not happen by chance. */
const DISTINCT_VALUES_MIN = 16;

/**
 * Reads a root key from what an operator gave: 32 raw bytes, 64 hex digits or base64 of 32 bytes, with
 * white space around it allowed for the texts. Works on bytes throughout, because strings cannot be wiped.
 * Throws Fault `config_invalid` for a wrong size and for values that are no keys, such as `changeme`.
 */
export function parseRootKey(text: Uint8Array, source: string): Uint8Array {
  const trimmed = trim(text);
  const key = parseHex(trimmed) ?? parseBase64(trimmed) ?? parseRaw(text);
  if (key === undefined) {
    throw new Fault(
      "config_invalid",
      `${source} does not hold a root key: it must be 64 hex digits, for example the output of \`openssl rand -hex 32\`.`,
    );
  }
  if (isPlaceholder(key)) {
    wipe(key);
    throw new Fault(
      "config_invalid",
      `${source} holds a placeholder, not a random root key; make one with \`openssl rand -hex 32\`.`,
    );
  }
  return key;
}

/** A root key as it is written to a file: 64 hex digits and a line end, in wipeable memory. */
export function formatRootKey(key: Uint8Array): Uint8Array {
  const text = wipeable(HEX_DIGITS + 1);
  for (const [index, byte] of key.entries()) {
    text[index * 2] = hexDigit(byte >> 4);
    text[index * 2 + 1] = hexDigit(byte & 15);
  }
  text[HEX_DIGITS] = 10;
  return text;
}

function hexDigit(value: number): number {
  return value < 10 ? 48 + value : 87 + value;
}

function trim(text: Uint8Array): Uint8Array {
  let start = 0;
  let end = text.length;
  while (start < end && isSpace(text[start])) start++;
  while (end > start && isSpace(text[end - 1])) end--;
  return text.subarray(start, end);
}

function isSpace(byte: number | undefined): boolean {
  return byte === 32 || byte === 10 || byte === 13 || byte === 9;
}

function parseHex(text: Uint8Array): Uint8Array | undefined {
  if (text.length !== HEX_DIGITS) return undefined;
  const key = wipeable(KEY_BYTES);
  for (let index = 0; index < KEY_BYTES; index++) {
    const high = hexValue(text[index * 2] ?? 0);
    const low = hexValue(text[index * 2 + 1] ?? 0);
    if (high < 0 || low < 0) return undefined;
    key[index] = high * 16 + low;
  }
  return key;
}

function hexValue(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48;
  const lower = byte | 32;
  return lower >= 97 && lower <= 102 ? lower - 87 : -1;
}

function parseBase64(text: Uint8Array): Uint8Array | undefined {
  if (text.length !== 43 && text.length !== 44) return undefined;
  const key = decodeBase64(text);
  return key?.length === KEY_BYTES ? key : undefined;
}

function parseRaw(text: Uint8Array): Uint8Array | undefined {
  return text.length === KEY_BYTES ? wipeableCopy(text) : undefined;
}

/** A password of 32 characters, one repeated byte or a counting pattern is not a key. */
function isPlaceholder(key: Uint8Array): boolean {
  if (key.every((byte) => byte >= 32 && byte < 127)) return true;
  if (new Set(key).size < DISTINCT_VALUES_MIN) return true;
  const step = ((key[1] ?? 0) - (key[0] ?? 0)) & 0xff;
  return key.every(
    (byte, index) => index === 0 || ((byte - (key[index - 1] ?? 0)) & 0xff) === step,
  );
}
