/**
 * Node's own slicing methods, which its types leave out. `toString` reaches the same code after looking up
 * the encoding by name; on headers and events of every request that look-up is what costs.
 */
interface Slicing {
  latin1Slice(start: number, end: number): string;
  utf8Slice(start: number, end: number): string;
}

/** Bytes as text, each byte one character: right for headers, and for finding ASCII in anything. */
export function latin1(bytes: Buffer, start = 0, end = bytes.length): string {
  return (bytes as Buffer & Slicing).latin1Slice(start, Math.min(end, bytes.length));
}

/** Bytes as UTF-8 text. */
export function utf8(bytes: Buffer, start = 0, end = bytes.length): string {
  return (bytes as Buffer & Slicing).utf8Slice(start, Math.min(end, bytes.length));
}

/** True when `word` stands at a place. */
export function isAt(bytes: Buffer, start: number, word: Buffer): boolean {
  const length = word.length;
  if (start + length > bytes.length) return false;
  for (let i = 0; i < length; i++) if (bytes[start + i] !== word[i]) return false;
  return true;
}
