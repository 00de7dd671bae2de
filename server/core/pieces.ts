/** Pieces kept apart: each takes some 200 bytes however short it is, so of a sender of single bytes they are joined. */
const LOOSE_MAX = 64;
/** Pieces of this size on average are not joined, for what they take besides hardly counts. */
const LOOSE_BYTES_MIN = 1024;
/** What was joined is joined again until it is so large: then each byte was copied a bounded number of times. */
const BLOCK_BYTES = 4 * 1024;

const EMPTY = Buffer.alloc(0);

/** Bytes that come in pieces and are wanted whole. Takes about as much memory as the bytes, however they are cut. */
export class Pieces {
  /** While there is but one. */
  #only: Buffer | undefined;
  #list: Buffer[] | undefined;
  /** So many of the list stay as they are. */
  #settled = 0;
  /** Of the others. */
  #looseBytes = 0;
  #bytes = 0;

  /** Bytes held. */
  get bytes(): number {
    return this.#bytes;
  }

  push(piece: Buffer): void {
    this.#bytes += piece.length;
    const list = this.#list;
    if (list !== undefined) {
      this.#add(list, piece);
    } else if (this.#only === undefined) {
      this.#only = piece;
    } else {
      this.#list = [this.#only, piece];
      this.#settled = 0;
      this.#looseBytes = this.#bytes;
      this.#only = undefined;
    }
  }

  /** All of it: a single piece as it came, several in a copy that takes their place. */
  whole(): Buffer {
    if (this.#list !== undefined) {
      this.#only = Buffer.concat(this.#list, this.#bytes);
      this.#list = undefined;
    }
    return this.#only ?? EMPTY;
  }

  clear(): void {
    this.#only = undefined;
    this.#list = undefined;
    this.#bytes = 0;
  }

  #add(list: Buffer[], piece: Buffer): void {
    list.push(piece);
    this.#looseBytes += piece.length;
    if (list.length - this.#settled >= LOOSE_MAX) this.#join(list);
  }

  #join(list: Buffer[]): void {
    if (this.#looseBytes < LOOSE_MAX * LOOSE_BYTES_MIN) {
      list.push(Buffer.concat(list.splice(this.#settled), this.#looseBytes));
      if (this.#looseBytes < BLOCK_BYTES) return;
    }
    this.#settled = list.length;
    this.#looseBytes = 0;
  }
}
