import { latin1 } from "./bytes.js";

/** Reads kept: the usage stands in the last events, which a provider may send one by one. */
const READS_KEPT = 4;
/** Nor more than this of older reads; the newest is always kept whole. */
const OLDER_BYTES_MAX = 64 * 1024;

/** The last few reads of a stream, kept by reference: nothing is copied or looked at until the end. */
export class Tail {
  #reads: Buffer[] = [];
  #bytes = 0;
  #total = 0;

  push(read: Buffer): void {
    this.#total += read.length;
    this.#bytes += read.length;
    this.#reads.push(read);
    while (
      this.#reads.length > READS_KEPT ||
      (this.#reads.length > 1 && this.#bytes - read.length > OLDER_BYTES_MAX)
    ) {
      this.#bytes -= this.#reads.shift()?.length ?? 0;
    }
  }

  /** Bytes of the whole stream so far. */
  get totalBytes(): number {
    return this.#total;
  }

  /** The kept reads as one text. */
  bytes(): Buffer {
    const only = this.#reads.length === 1 ? this.#reads[0] : undefined;
    return only ?? Buffer.concat(this.#reads, this.#bytes);
  }
}

/** True when `text` ends with `word`, spaces and line ends after it aside. */
export function endsWith(text: Buffer, word: string): boolean {
  let end = text.length;
  while (end > 0 && (text[end - 1] ?? 0) <= 0x20) end--;
  return end >= word.length && latin1(text, end - word.length, end) === word;
}
