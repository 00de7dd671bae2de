import type { HeaderLines } from "./header-lines.js";
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

type Slots<T> = readonly (readonly KnownHeader<T>[])[];
const NONE: readonly never[] = [];

/**
 * Known header names, looked up by the bytes of a raw head. Most headers of a reply are of no interest, and
 * finding that out costs no string.
 */
export class HeaderTable<T> {
  /** By length and first letter. */
  readonly #names: Slots<T>;
  /** By first letter. */
  readonly #families: Slots<T>;

  /** `families`: what names begin with that mean the same, whatever follows. */
  constructor(names: Readonly<Record<string, T>>, families: Readonly<Record<string, T>>) {
    this.#names = inSlots(names, false);
    this.#families = inSlots(families, true);
  }

  /** What is known of the line whose marks begin at `i`; undefined for names that are not in the table. */
  find(head: HeaderLines, i: number): KnownHeader<T> | undefined {
    const { bytes } = head;
    const start = head.mark(i);
    const end = head.mark(i + 1);
    const first = bytes[start] ?? 0;
    return (
      firstOf(inSlot(this.#names, slot(end - start, first)), bytes, start, end) ??
      firstOf(inSlot(this.#families, slot(0, first)), bytes, start, end)
    );
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

/** A read beyond the end would make all later ones slower. */
function inSlot<T>(slots: Slots<T>, at: number): readonly KnownHeader<T>[] | undefined {
  return at < slots.length ? slots[at] : undefined;
}

function inSlots<T>(byName: Readonly<Record<string, T>>, isFamily: boolean): Slots<T> {
  const slots: (readonly KnownHeader<T>[])[] = [];
  for (const [name, means] of Object.entries(byName)) {
    const bytes = Buffer.from(name);
    const at = slot(isFamily ? 0 : name.length, bytes[0] ?? 0);
    while (slots.length <= at) slots.push(NONE);
    slots[at] = [...(slots[at] ?? []), { name, isFamily, means, bytes }];
  }
  return slots;
}

function slot(length: number, first: number): number {
  return length * LETTERS + (first & (LETTERS - 1));
}
