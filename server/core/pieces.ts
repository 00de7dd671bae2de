import { copyInto } from "./bytes.js";

/** Where it was announced how many bytes come, there is room for at most so many times what has come. */
const AHEAD_MAX = 8;
/** So many pieces are kept apart. Each takes some 200 bytes however short it is, so many short ones are joined. */
const LOOSE_MAX = 64;
/** Pieces that are on average this long are not joined: their overhead hardly counts. */
const LOOSE_BYTES_MIN = 1024;
/** Joined pieces are joined again until they are this large, so each byte is copied a bounded number of times. */
const BLOCK_BYTES = 4 * 1024;

/** So many bytes whose number nobody announced are kept in their pieces; more are put in one place as they come. */
const APART_BYTES_MAX = 1024 * 1024;
/** There is then room for so many times what has come: nearly always for all, so that little is moved again. */
const ROOM_GROWTH = 32;

const EMPTY = Buffer.alloc(0);

/**
 * Bytes that come in pieces and are wanted whole. They take about as much memory as there are bytes, however they are cut.
 * Pieces of an announced number are put in their places as they come, so that nothing is held twice when they are whole:
 * in a small part of the room at first, for an announcement may be made in bad faith, and in all of it once an eighth has
 * come. Where only the most that may come is known, so are long ones. What is not written to yet takes no memory of the
 * system.
 */
export class Pieces {
  /** How many bytes there will be in all; 0 where that is not known. */
  readonly #announced: number;
  /** How many there may be, where it is not known how many there will be; 0 where neither is. */
  readonly #bytesMax: number;
  /** Where they are put as they come: an announced number but for a single piece, and of others many. */
  #room = EMPTY;
  /** Set while there is only one piece. */
  #only: Buffer | undefined;
  #list: Buffer[] | undefined;
  /** How many of the list, from its start, stay as they are. */
  #settled = 0;
  /** Bytes of the others. */
  #looseBytes = 0;
  #bytes = 0;

  /** `announced`: how many bytes there will be in all, if that is known; else `bytesMax` says how many there may be. */
  constructor(announced = 0, bytesMax = 0) {
    this.#announced = announced;
    this.#bytesMax = announced > 0 ? announced : bytesMax;
  }

  /** Bytes held. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Adds a piece, which may be kept as it is. */
  push(given: Buffer): void {
    if (this.#bytes > 0 && this.#isPlaced(given)) {
      this.#place(given);
      return;
    }
    const piece = isSliver(given) ? Buffer.from(given) : given;
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

  /** Adds a copy of a piece, which is there during this call only. */
  copy(piece: Buffer): void {
    if (this.#isPlaced(piece)) this.#place(piece);
    else this.push(Buffer.from(piece));
  }

  /** All bytes: a single piece as it came, several as one copy that takes their place. */
  whole(): Buffer {
    const room = this.#room;
    if (room.length > 0) return this.#bytes < room.length ? room.subarray(0, this.#bytes) : room;
    if (this.#list !== undefined) {
      this.#only = Buffer.concat(this.#list, this.#bytes);
      this.#list = undefined;
    }
    return this.#only ?? EMPTY;
  }

  /** All bytes in pieces, in which nothing is copied, and lets them go. */
  take(): readonly Buffer[] {
    const pieces = this.#list ?? [this.whole()];
    this.clear();
    return pieces;
  }

  clear(): void {
    this.#room = EMPTY;
    this.#only = undefined;
    this.#list = undefined;
    this.#bytes = 0;
  }

  #isPlaced(piece: Buffer): boolean {
    if (this.#announced > 0) return true;
    return this.#bytesMax > 0 && this.#bytes + piece.length > APART_BYTES_MAX;
  }

  #place(piece: Buffer): void {
    const bytes = this.#bytes + piece.length;
    if (bytes > this.#room.length) this.#makeRoom(bytes);
    copyInto(this.#room, this.#bytes, piece);
    this.#bytes = bytes;
  }

  #makeRoom(bytes: number): void {
    const room = Buffer.allocUnsafe(this.#roomFor(bytes));
    if (this.#list === undefined) copyInto(room, 0, this.whole());
    else putInto(room, this.#list);
    this.#room = room;
    this.#only = undefined;
    this.#list = undefined;
  }

  /** Of an announced number cut down from the end, so that what is copied from one room to the next is a seventh of all at most. */
  #roomFor(bytes: number): number {
    if (this.#announced === 0) {
      return Math.max(bytes, Math.min(this.#bytesMax, bytes * ROOM_GROWTH));
    }
    let length = Math.max(this.#announced, bytes);
    while (length >= bytes * AHEAD_MAX) length = Math.ceil(length / AHEAD_MAX);
    return length;
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

function putInto(room: Buffer, pieces: readonly Buffer[]): void {
  let at = 0;
  for (const piece of pieces) {
    copyInto(room, at, piece);
    at += piece.length;
  }
}

/** It would keep a buffer in memory that is more than twice as long. Where short ones share one of Node's, that is short too. */
export function isSliver(piece: Buffer): boolean {
  const { byteLength } = piece.buffer;
  return byteLength > 2 * piece.length && byteLength > Buffer.poolSize;
}
