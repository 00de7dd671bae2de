/** How many reads are kept: the usage is in the last events, which a provider may send one by one. */
const READS_KEPT = 4;
/** Nor are older reads looked at beyond this, counted from the end; the newest always is, all of it. */
const OLDER_BYTES_MAX = 64 * 1024;
/**
 * What so many bytes came behind says nothing of the end, and must not stay in memory: after a read of this length no other
 * one is kept.
 */
export const BEHIND_BYTES_MAX = 16 * 1024;
/** As many reads of this length are no more than that. */
const SMALL_BYTES = BEHIND_BYTES_MAX / READS_KEPT;
const NOTHING = Buffer.alloc(0);

/** The last few reads of a stream, kept by reference: nothing is copied or looked at until the end. */
export class Tail {
  readonly #reads: (Buffer | undefined)[] = [undefined, undefined, undefined, undefined];
  #count = 0;

  push(read: Buffer): void {
    this.#reads[this.#count % READS_KEPT] = read;
    this.#count++;
    if (read.length > SMALL_BYTES) this.#letGo();
  }

  /** Bytes kept. */
  get keptBytes(): number {
    let bytes = 0;
    for (const read of this.#reads) bytes += read?.length ?? 0;
    return bytes;
  }

  /** The kept reads as one text. */
  bytes(): Buffer {
    if (this.#count === 1) return this.#reads[0] ?? NOTHING;
    const kept = this.#recent();
    const newest = kept[0];
    if (newest === undefined) return NOTHING;
    return kept.length === 1 ? newest : Buffer.concat(kept.toReversed());
  }

  /**
   * The newest read, and those before it that are looked at with it; the newest first. Of a long one the end is: the
   * usage may be there, and only the last word in the next read.
   */
  #recent(): Buffer[] {
    const recent: Buffer[] = [];
    let room = OLDER_BYTES_MAX;
    for (let back = 1; back <= READS_KEPT; back++) {
      const read = this.#reads[this.#placeOf(back)];
      if (read === undefined) break;
      if (back > 1 && read.length > room) {
        if (room > 0) recent.push(read.subarray(-room));
        break;
      }
      recent.push(read);
      room -= read.length;
    }
    return recent;
  }

  #letGo(): void {
    let behind = 0;
    for (let back = 1; back <= READS_KEPT; back++) {
      const place = this.#placeOf(back);
      const bytes = this.#reads[place]?.length ?? 0;
      if (behind >= BEHIND_BYTES_MAX) this.#reads[place] = undefined;
      behind += bytes;
    }
  }

  /** The bytes of the read so many reads back; 1 is the newest. */
  #placeOf(back: number): number {
    return (this.#count + READS_KEPT - back) % READS_KEPT;
  }
}

/** True when `text` ends with `word`, spaces and line ends after it aside. */
export function endsWith(text: Buffer, word: Buffer): boolean {
  let at = text.length - 1;
  while (at >= 0 && (text[at] ?? 0) <= 0x20) at--;
  for (let i = word.length - 1; i >= 0; i--, at--) if (text[at] !== word[i]) return false;
  return true;
}
