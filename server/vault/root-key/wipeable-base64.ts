import { wipeable } from "../bytes.js";

const DIGITS = Buffer.from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
const PADDING = 61;

/** Base64 with padding, from bytes to bytes: strings of key material could not be wiped. */
export function encodeBase64(bytes: Uint8Array): Uint8Array {
  const text = wipeable(Math.ceil(bytes.length / 3) * 4).fill(PADDING);
  let held = 0;
  let bits = 0;
  let written = 0;
  for (const byte of bytes) {
    held = ((held << 8) | byte) & 0xffff;
    bits += 8;
    while (bits >= 6) {
      bits -= 6;
      text[written++] = DIGITS[(held >> bits) & 63] ?? 0;
    }
  }
  if (bits > 0) text[written] = DIGITS[(held << (6 - bits)) & 63] ?? 0;
  return text;
}

/** Accepts both alphabets, with and without padding; undefined for anything else. */
export function decodeBase64(text: Uint8Array): Uint8Array | undefined {
  let length = text.length;
  while (length > 0 && text.length - length < 2 && text[length - 1] === PADDING) length--;
  const padded = length < text.length;
  if (length % 4 === 1 || (padded && text.length % 4 !== 0)) return undefined;
  const bytes = wipeable(Math.floor((length * 3) / 4));
  let held = 0;
  let bits = 0;
  let written = 0;
  for (const digit of text.subarray(0, length)) {
    const value = valueOf(digit);
    if (value < 0) return undefined;
    held = ((held << 6) | value) & 0xffff;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes[written++] = (held >> bits) & 0xff;
    }
  }
  return bytes;
}

function valueOf(digit: number): number {
  if (digit >= 65 && digit <= 90) return digit - 65;
  if (digit >= 97 && digit <= 122) return digit - 71;
  if (digit >= 48 && digit <= 57) return digit + 4;
  if (digit === 43 || digit === 45) return 62;
  return digit === 47 || digit === 95 ? 63 : -1;
}
