/** So many pieces are kept apart. Each takes some 200 bytes however short it is, so many short ones are joined. */
const LOOSE_MAX = 64;
/** Pieces that are on average this long are not joined: their overhead hardly counts. */
const LOOSE_BYTES_MIN = 1024;
/** Joined pieces are joined again until they are this large, so each byte is copied a bounded number of times. */
const BLOCK_BYTES = 4 * 1024;

const EMPTY = Buffer.alloc(0);

/** Bytes that come in pieces and are wanted whole. They take about as much memory as there are bytes, however they are cut. */
export class Pieces {
  /** Set while there is only one piece. */
  #only: Buffer | undefined;
  #list: Buffer[] | undefined;
  /** How many of the list, from its start, stay as they are. */
  #settled = 0;
  /** Bytes of the others. */
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

  /** All bytes: a single piece as it came, several as one copy that takes their place. */
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
