import { isAt } from "../core/bytes.js";
import { readString, type Span } from "./json-span.js";

/** In place of an index, for a key whose escapes cannot be undone. */
export const UNREADABLE = -2;

/** In place of an index, for a name in other letters: `Model` is `model` to readers that pass over case. */
export const OTHER_CASE = -3;

const BACKSLASH = 0x5c;
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

  /** Which of the wanted names is between two quotes, as one of the constants above; -1 for none of them. */
  indexOf(text: Buffer, start: number, end: number): number {
    const candidates = this.#byLength[end - start];
    if (candidates !== undefined) {
      for (let i = 0; i < candidates.length; i++) {
        const candidate = candidates[i];
        if (candidate === undefined) continue;
        if (isAt(text, start, candidate.bytes)) return candidate.index;
        if (isInOtherCase(text, start, candidate.bytes)) return OTHER_CASE;
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
    if (name === undefined) return UNREADABLE;
    const index = this.#names.indexOf(name);
    const lower = name.toLowerCase();
    const isOther = index < 0 && this.#names.some((each) => each.toLowerCase() === lower);
    return isOther ? OTHER_CASE : index;
  }
}

/** Names are of letters and underscores, in which this bit is the case, or set. */
function isInOtherCase(text: Buffer, start: number, name: Buffer): boolean {
  for (let i = 0; i < name.length; i++) {
    if (((text[start + i] ?? 0) | LOWER_CASE) !== ((name[i] ?? 0) | LOWER_CASE)) return false;
  }
  return true;
}
