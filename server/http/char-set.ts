/**
 * Characters of which a text may consist, each of one byte. A text of the hot path is looked at in a loop, for which
 * V8 needs a fraction of what starting a regular expression costs.
 */
export class CharSet {
  readonly #has: Uint8Array;

  /** `pattern` matches each single character of the set. */
  constructor(pattern: RegExp) {
    this.#has = Uint8Array.from({ length: 256 }, (_each, code) =>
      pattern.test(String.fromCodePoint(code)) ? 1 : 0,
    );
  }

  /** True for a text with no other character in it, and for an empty one. */
  isAllOf(text: string): boolean {
    const has = this.#has;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code > 0xff || has[code] !== 1) return false;
    }
    return true;
  }
}
