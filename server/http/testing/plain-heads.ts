/** What of a head is read plainly: by one expression, over all of it. */
export interface PlainBlock {
  /** Values without the blanks around them. */
  readonly lines: readonly (readonly [name: string, value: string])[];
  /** Characters to the one behind the blank line. */
  readonly length: number;
}

const BLOCK = /^((?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t\x20-\x7e\x80-\xff]*\r\n)*)\r\n/;

/** RFC 9112's header lines, without what it lets a reader tolerate; undefined for what they are not. */
export function plainBlock(text: string): PlainBlock | undefined {
  const block = BLOCK.exec(text);
  if (block === null) return undefined;
  const lines = (block[1] ?? "").split("\r\n").slice(0, -1);
  return {
    lines: lines.map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon), line.slice(colon + 1).replace(/^[\t ]+|[\t ]+$/g, "")];
    }),
    length: block[0].length,
  };
}

/** Bytes that mean something in a head, and such as must not be in one. */
const BYTES = "\0\t\n\r\x1f !,:;/09aGZ_^-\x7f\x80\xff";

/** The text, and all texts that differ from it in one byte: another, one less, or one more. */
export function* editsOf(text: string): Generator<string> {
  yield text;
  for (let at = 0; at <= text.length; at++) {
    const before = text.slice(0, at);
    const behind = text.slice(at + 1);
    yield before + behind;
    for (const byte of BYTES) {
      yield before + byte + behind;
      yield before + byte + text.slice(at);
    }
  }
}

/** True for a header that a list names, in lower case; an entry that ends with a hyphen names all that begin so. */
export function isNamed(name: string, list: readonly string[]): boolean {
  const lower = name.toLowerCase();
  return list.some((each) =>
    each.endsWith("-") ? lower.startsWith(each) && lower !== each : lower === each,
  );
}
