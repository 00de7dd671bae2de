/**
 * Node's own methods, some of which its types leave out: `toString` calls the same code, after looking up the encoding
 * by name. They are taken from the prototype once, because it has so many methods that V8 looks one up anew at each use;
 * for the headers and records of every call that look-up is most of the cost.
 */
interface Methods {
  readonly latin1Slice: (this: Buffer, start: number, end: number) => string;
  readonly utf8Slice: (this: Buffer, start: number, end: number) => string;
  readonly indexOf: (this: Buffer, byte: number, from: number) => number;
  readonly set: (this: Uint8Array, bytes: Uint8Array, at: number) => void;
  readonly latin1Write: (this: Buffer, text: string, at: number) => number;
}
const { latin1Slice, utf8Slice, indexOf, set, latin1Write } =
  Buffer.prototype as unknown as Methods;

/** Bytes as text, each byte one character: right for headers, and for finding ASCII in anything. */
export function latin1(bytes: Buffer, start = 0, end = bytes.length): string {
  return latin1Slice.call(bytes, start, Math.min(end, bytes.length));
}

/** Bytes as UTF-8 text. */
export function utf8(bytes: Buffer, start = 0, end = bytes.length): string {
  return utf8Slice.call(bytes, start, Math.min(end, bytes.length));
}

/** A copy of a text. A piece of a larger text keeps all of that in memory for as long as it lives; its copy does not. */
export function detached(text: string): string {
  return Buffer.from(text).toString();
}

/** The text, or a detached copy of its beginning where it is longer. */
export function bounded(text: string, charsMax: number): string {
  return text.length <= charsMax ? text : detached(text.slice(0, charsMax));
}

/**
 * The bytes in memory of their own. Short ones share a piece of it with others, all of which stays as long as any of them,
 * and no thread can give that to another.
 */
export function owned(bytes: Buffer): Buffer {
  const isAlone = bytes.length === bytes.buffer.byteLength;
  return isAlone ? bytes : Buffer.from(new Uint8Array(bytes).buffer);
}

/** Where a byte comes next from `from` on; -1 when it does not. */
export function indexOfByte(bytes: Buffer, byte: number, from: number): number {
  return indexOf.call(bytes, byte, from);
}

/** Writes all of `source` into `target` from `at` on, where there has to be room. */
export function copyInto(target: Uint8Array, at: number, source: Uint8Array): void {
  set.call(target, source, at);
}

/** Writes a text, each character of it one byte, from `at` on, where there has to be room; answers how many there were. */
export function writeLatin1(target: Buffer, at: number, text: string): number {
  return text === "" ? 0 : latin1Write.call(target, text, at);
}

/** True when `word` stands in `bytes` at `start`. */
export function isAt(bytes: Buffer, start: number, word: Buffer): boolean {
  const length = word.length;
  if (start + length > bytes.length) return false;
  for (let i = 0; i < length; i++) if (bytes[start + i] !== word[i]) return false;
  return true;
}

/** What an ASCII character, a byte, stands for as a hexadecimal digit; -1 for any other. */
export function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x61 + 10 : -1;
}
