import { isAt } from "../core/bytes.js";
import type { Span } from "./json-span.js";
import { SpelledName } from "./spelled-name.js";

/** In place of an index, for a key whose escapes cannot be undone. */
export const UNREADABLE = -2;

/** In place of an index, for a name in other letters: `Model` is `model` to readers that pass over case. */
export const OTHER_CASE = -3;

const BACKSLASH = 0x5c;
const ASCII_MAX = 0x7f;
const LOWER_CASE = 0x20;

interface Wanted {
  readonly bytes: Buffer;
  readonly index: number;
}

/** Names of members to look for. Made once for each kind of text; finding one costs no string. */
export class WantedMembers {
  readonly #names: readonly string[];
  readonly #byLength: readonly (readonly Wanted[])[];
  readonly #none: readonly (Span | undefined)[];
  readonly #spelled: SpelledName;

  constructor(names: readonly string[]) {
    this.#names = names;
    this.#none = names.map(() => undefined);
    const wanted = names.map((name, index) => ({ bytes: Buffer.from(name), index }));
    const longest = Math.max(0, ...names.map((name) => name.length));
    this.#byLength = Array.from({ length: longest + 1 }, (_each, length) =>
      wanted.filter(({ bytes }) => bytes.length === length),
    );
    this.#spelled = new SpelledName(longest);
  }

  /** One undefined for each name. */
  none(): (Span | undefined)[] {
    return this.#none.slice();
  }

  nameOf(index: number): string {
    return this.#names[index] ?? "";
  }

  /** Which of the wanted names is between two quotes, as one of the constants above; -1 for none of them. */
  indexOf(text: Buffer, start: number, end: number): number {
    const index = this.#plainIndex(text, start, end - start);
    if (index !== -1) return index;
    for (let at = start; at < end; at++) {
      const byte = text[at] ?? 0;
      // Undone, `mod\u0065l` is `model` to every parser.
      if (byte === BACKSLASH || byte > ASCII_MAX) return this.#spelledIndex(text, start, end);
    }
    return -1;
  }

  #plainIndex(text: Buffer, start: number, length: number): number {
    const candidates = this.#byLength[length];
    if (candidates === undefined) return -1;
    for (let i = 0; i < candidates.length; i++) {
      const candidate = candidates[i];
      if (candidate === undefined) continue;
      if (isAt(text, start, candidate.bytes)) return candidate.index;
      if (isInOtherCase(text, start, candidate.bytes)) return OTHER_CASE;
    }
    return -1;
  }

  #spelledIndex(text: Buffer, start: number, end: number): number {
    const spelled = this.#spelled;
    if (!spelled.read(text, start, end)) return UNREADABLE;
    const index = this.#plainIndex(spelled.bytes, 0, spelled.length);
    return index >= 0 && spelled.isFolded ? OTHER_CASE : index;
  }
}

/** Names are of letters and underscores, in which this bit is the case, or set. */
function isInOtherCase(text: Buffer, start: number, name: Buffer): boolean {
  for (let i = 0; i < name.length; i++) {
    if (((text[start + i] ?? 0) | LOWER_CASE) !== ((name[i] ?? 0) | LOWER_CASE)) return false;
  }
  return true;
}
