import { isNameAt } from "./same-name.js";

/** What a raw header name means, and the name in lower case. */
export interface KnownHeader<T> {
  readonly name: string;
  readonly means: T;
}

interface Entry<T> extends KnownHeader<T> {
  readonly bytes: Buffer;
}

/**
 * Known header names, looked up by the bytes of a raw head. Most headers of a reply are of no interest, and
 * finding that out costs no string.
 */
export class HeaderTable<T> {
  readonly #byLength: readonly (readonly Entry<T>[])[];
  readonly #prefixes: readonly { readonly bytes: Buffer; readonly means: T }[];

  constructor(names: Readonly<Record<string, T>>, prefixes: Readonly<Record<string, T>>) {
    const entries = Object.entries(names).map(([name, means]) => ({
      name,
      means,
      bytes: Buffer.from(name),
    }));
    const longest = Math.max(...entries.map((entry) => entry.name.length));
    this.#byLength = Array.from({ length: longest + 1 }, (_each, length) =>
      entries.filter((entry) => entry.name.length === length),
    );
    this.#prefixes = Object.entries(prefixes).map(([prefix, means]) => ({
      bytes: Buffer.from(prefix),
      means,
    }));
  }

  /** The name that stands in `raw` from `start` to `end`; undefined for names that are not in the table. */
  find(raw: Buffer, start: number, end: number): KnownHeader<T> | undefined {
    const entries = this.#byLength[end - start];
    if (entries !== undefined) {
      for (const entry of entries) if (isNameAt(raw, start, entry.bytes)) return entry;
    }
    for (const { bytes, means } of this.#prefixes) {
      if (end - start > bytes.length && isNameAt(raw, start, bytes)) {
        return { name: raw.toString("latin1", start, end).toLowerCase(), means };
      }
    }
    return undefined;
  }
}
