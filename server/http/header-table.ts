import type { RawHeaders } from "./header-lines.js";
import { isNameAt } from "./same-name.js";

/** Slots for the first letters of names; those of the other characters are shared. */
const LETTERS = 32;

/** What a header means. */
export interface KnownHeader<T> {
  /** In lower case; of a family of headers what their names begin with. */
  readonly name: string;
  readonly isFamily: boolean;
  readonly means: T;
  readonly bytes: Buffer;
}

/**
 * Known header names, looked up by the bytes of a raw head. Most headers of a reply are of no interest, and
 * finding that out costs no string.
 */
export class HeaderTable<T> {
  /** By length and first letter. */
  readonly #names: (readonly KnownHeader<T>[])[];
  /** By first letter. */
  readonly #families: (readonly KnownHeader<T>[])[];

  constructor(names: Readonly<Record<string, T>>, prefixes: Readonly<Record<string, T>>) {
    const entries = knownHeaders(names, false);
    const longest = Math.max(...entries.map(({ name }) => name.length));
    this.#names = Array.from({ length: slot(longest + 1, 0) }, (_each, at) =>
      entries.filter(({ name, bytes }) => slot(name.length, bytes[0] ?? 0) === at),
    );
    const families = knownHeaders(prefixes, true);
    this.#families = Array.from({ length: LETTERS }, (_each, letter) =>
      families.filter(({ bytes }) => slot(0, bytes[0] ?? 0) === letter),
    );
  }

  /** The name of the line whose marks begin at `i`; undefined for names that are not in the table. */
  find(headers: RawHeaders, i: number): KnownHeader<T> | undefined {
    const { bytes, marks } = headers;
    const start = marks[i] ?? 0;
    const end = marks[i + 1] ?? 0;
    const first = bytes[start] ?? 0;
    const slotAt = slot(end - start, first);
    const names = slotAt < this.#names.length ? this.#names[slotAt] : undefined;
    return (
      firstOf(names, bytes, start, end) ??
      firstOf(this.#families[slot(0, first)], bytes, start, end)
    );
  }

  /** The name, in lower case, of the line whose marks begin at `i` and that was found to be `known`. */
  nameOf(known: KnownHeader<T>, headers: RawHeaders, i: number): string {
    if (!known.isFamily) return known.name;
    return headers.text(headers.marks[i] ?? 0, headers.marks[i + 1] ?? 0).toLowerCase();
  }
}

function firstOf<T>(
  candidates: readonly KnownHeader<T>[] | undefined,
  bytes: Buffer,
  start: number,
  end: number,
): KnownHeader<T> | undefined {
  if (candidates === undefined) return undefined;
  for (let i = 0; i < candidates.length; i++) {
    const known = candidates[i];
    if (known === undefined || (known.isFamily && end - start <= known.name.length)) continue;
    if (isNameAt(bytes, start, known.bytes)) return known;
  }
  return undefined;
}

function knownHeaders<T>(
  byName: Readonly<Record<string, T>>,
  isFamily: boolean,
): readonly KnownHeader<T>[] {
  return Object.entries(byName).map(([name, means]) => {
    return { name, isFamily, means, bytes: Buffer.from(name) };
  });
}

function slot(length: number, first: number): number {
  return length * LETTERS + (first & (LETTERS - 1));
}
