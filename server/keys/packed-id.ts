/** Bytes of an id without its prefix. */
export const PACKED_ID_BYTES = 16;

const DIGITS = "0123456789abcdefghjkmnpqrstvwxyz";
const TIME_DIGITS = 10;
const GROUP_DIGITS = 8;
const BODY_DIGITS = TIME_DIGITS + 2 * GROUP_DIGITS;
const TIME_BYTES = 6;
const GROUP_BYTES = 5;
const TIME_END = 2 ** 48;

/** Value of a digit by its character code; NaN where the character is no digit. */
const VALUES = new Float64Array(128).fill(NaN);
for (let value = 0; value < DIGITS.length; value++) VALUES[DIGITS.charCodeAt(value)] = value;
const PAIRS = Array.from({ length: 1024 }, (_, pair) =>
  DIGITS.charAt(pair >>> 5).concat(DIGITS.charAt(pair & 31)),
);

/**
 * Writes an id such as `ck_01k9…` as 16 bytes, without its prefix. False for an id of another form, of which
 * nothing is kept.
 */
export function packId(prefix: string, id: string, into: Buffer, at: number): boolean {
  if (id.length !== prefix.length + BODY_DIGITS || !id.startsWith(prefix)) return false;
  const start = prefix.length;
  const time = numberAt(id, start, TIME_DIGITS);
  const high = numberAt(id, start + TIME_DIGITS, GROUP_DIGITS);
  const low = numberAt(id, start + TIME_DIGITS + GROUP_DIGITS, GROUP_DIGITS);
  // NaN, the value of what is no digit, fails each of these comparisons.
  if (!(time < TIME_END && high >= 0 && low >= 0)) return false;
  into.writeUIntBE(time, at, TIME_BYTES);
  into.writeUIntBE(high, at + TIME_BYTES, GROUP_BYTES);
  into.writeUIntBE(low, at + TIME_BYTES + GROUP_BYTES, GROUP_BYTES);
  return true;
}

/** The id that was written there. */
export function unpackId(prefix: string, from: Buffer, at: number): string {
  const time = from.readUIntBE(at, TIME_BYTES);
  const high = from.readUIntBE(at + TIME_BYTES, GROUP_BYTES);
  const low = from.readUIntBE(at + TIME_BYTES + GROUP_BYTES, GROUP_BYTES);
  return (
    prefix +
    digitsOf(time, TIME_DIGITS) +
    digitsOf(high, GROUP_DIGITS) +
    digitsOf(low, GROUP_DIGITS)
  );
}

function numberAt(text: string, start: number, digits: number): number {
  let value = 0;
  for (let i = start; i < start + digits; i++) {
    value = value * 32 + (VALUES[text.charCodeAt(i)] ?? NaN);
  }
  return value;
}

function digitsOf(value: number, digits: number): string {
  let rest = value;
  let text = "";
  for (let i = 0; i < digits; i += 2) {
    text = (PAIRS[rest % 1024] ?? "") + text;
    rest = Math.floor(rest / 1024);
  }
  return text;
}
