import { isAt } from "../core/bytes.js";
import { readString, type Span } from "./json-span.js";

/** In place of an index, for a key whose escapes cannot be undone. */
export const UNREADABLE = -2;

const BACKSLASH = 0x5c;

interface Wanted {
  readonly bytes: Buffer;
  readonly index: number;
}

/** Names of members to look for. Made once for each kind of text; finding one costs no string. */
export class WantedMembers {
  readonly #names: readonly string[];
  readonly #byLength: readonly (readonly Wanted[])[];
  readonly #none: readonly (Span | undefined)[];

  constructor(names: readonly string[]) {
    this.#names = names;
    this.#none = names.map(() => undefined);
    const wanted = names.map((name, index) => ({ bytes: Buffer.from(name), index }));
    const longest = Math.max(0, ...names.map((name) => name.length));
    this.#byLength = Array.from({ length: longest + 1 }, (_each, length) =>
      wanted.filter(({ bytes }) => bytes.length === length),
    );
  }

  /** One undefined for each name. */
  none(): (Span | undefined)[] {
    return this.#none.slice();
  }

  nameOf(index: number): string {
    return this.#names[index] ?? "";
  }

  /** The index of the name that stands between two quotes; -1 for none of them, UNREADABLE for no name. */
  indexOf(text: Buffer, start: number, end: number): number {
    const candidates = this.#byLength[end - start];
    if (candidates !== undefined) {
      for (let i = 0; i < candidates.length; i++) {
        const candidate = candidates[i];
        if (candidate !== undefined && isAt(text, start, candidate.bytes)) return candidate.index;
      }
    }
    for (let at = start; at < end; at++) {
      // Undone, `mod\u0065l` is `model` to every parser.
      if (text[at] === BACKSLASH) return this.#unescaped(text, start, end);
    }
    return -1;
  }

  #unescaped(text: Buffer, start: number, end: number): number {
    const name = readString(text, { start: start - 1, end: end + 1 });
    return name === undefined ? UNREADABLE : this.#names.indexOf(name);
  }
}
