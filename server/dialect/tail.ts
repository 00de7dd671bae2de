/** Reads kept: the usage stands in the last events, which a provider may send one by one. */
const READS_KEPT = 4;
/** Nor are older reads looked at beyond this; the newest always is. */
const NOTHING = Buffer.alloc(0);
const OLDER_BYTES_MAX = 64 * 1024;

/** The last few reads of a stream, kept by reference: nothing is copied or looked at until the end. */
export class Tail {
  /** Newest first. */
  readonly #reads: (Buffer | undefined)[] = [undefined, undefined, undefined, undefined];
  #count = 0;

  push(read: Buffer): void {
    this.#reads[this.#count % READS_KEPT] = read;
    this.#count++;
  }

  /** The kept reads as one text. */
  bytes(): Buffer {
    const newest = this.#reads[(this.#count + READS_KEPT - 1) % READS_KEPT];
    if (newest === undefined) return NOTHING;
    const kept = [newest];
    let bytes = newest.length;
    for (let back = 2; back <= READS_KEPT; back++) {
      const read = this.#reads[(this.#count + 2 * READS_KEPT - back) % READS_KEPT];
      if (read === undefined || bytes + read.length > OLDER_BYTES_MAX) break;
      bytes += read.length;
      kept.unshift(read);
    }
    return kept.length === 1 ? newest : Buffer.concat(kept, bytes);
  }
}

/** True when `text` ends with `word`, spaces and line ends after it aside. */
export function endsWith(text: Buffer, word: Buffer): boolean {
  let at = text.length - 1;
  while (at >= 0 && (text[at] ?? 0) <= 0x20) at--;
  for (let i = word.length - 1; i >= 0; i--, at--) if (text[at] !== word[i]) return false;
  return true;
}
