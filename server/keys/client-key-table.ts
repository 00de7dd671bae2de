import type { KnownClientKey } from "../core/client-key.js";
import { ByteArena } from "./byte-arena.js";
import {
  ClientKeyReader,
  ClientKeyWriter,
  recordId,
  recordIsOn,
  recordLength,
} from "./client-key-record.js";
import { HashIndex, hashText } from "./hash-index.js";

const ROWS_MIN = 1024;
const MAC_BYTES = 32;
const NO_RECORD = 0xffff_ffff;
const NEVER = 0xffff_ffff;

/** Columns of all rows; a row's record is in the arena. */
interface Columns {
  readonly refs: Uint32Array;
  readonly idHashes: Uint32Array;
  readonly ownerHashes: Uint32Array;
  /** In seconds, rounded down; NEVER for never. */
  readonly expiries: Uint32Array;
}

/**
 * All client keys of the server in about 140 bytes each, found by MAC or by id in constant time. Rows are
 * numbers; a removed row's number is used again.
 */
export class ClientKeyTable {
  readonly #arena = new ByteArena();
  readonly #writer = new ClientKeyWriter();
  readonly #reader = new ClientKeyReader();
  readonly #byMac: HashIndex<Uint8Array>;
  readonly #byId: HashIndex<string>;
  readonly #freeRows: number[] = [];
  #columns = columns(ROWS_MIN);
  #macs = Buffer.alloc(ROWS_MIN * MAC_BYTES);
  #rowsEnd = 0;

  constructor() {
    this.#byMac = new HashIndex({
      hashOf: (row) => this.#macs.readUInt32LE(row * MAC_BYTES),
      matches: (row, mac) =>
        this.#macs.compare(mac, 0, MAC_BYTES, row * MAC_BYTES, (row + 1) * MAC_BYTES) === 0,
    });
    this.#byId = new HashIndex({
      hashOf: (row) => this.#columns.idHashes[row] ?? 0,
      matches: (row, id) => this.#idOf(row) === id,
    });
  }

  get size(): number {
    return this.#byId.size;
  }

  /** The row of a key by the 32 bytes of its MAC; -1 if there is none. */
  rowOfMac(mac: Buffer): number {
    return this.#byMac.find(mac.readUInt32LE(0), mac);
  }

  /** The row of a key by its id; -1 if there is none. */
  rowOfId(id: string): number {
    return this.#byId.find(hashText(id), id);
  }

  /** The key in a row. */
  keyAt(row: number): KnownClientKey {
    const ref = this.#refOf(row);
    return this.#reader.read(this.#arena.page(ref), this.#arena.offset(ref), this.macAt(row));
  }

  /** The MAC in a row, hex. */
  macAt(row: number): string {
    return this.#macs.toString("hex", row * MAC_BYTES, (row + 1) * MAC_BYTES);
  }

  /** True if the row's key is neither revoked nor disabled. */
  isOn(row: number): boolean {
    const ref = this.#refOf(row);
    return recordIsOn(this.#arena.page(ref), this.#arena.offset(ref));
  }

  /** Makes room for this many keys at once. */
  reserve(keys: number): void {
    this.#byMac.reserve(keys);
    this.#byId.reserve(keys);
    if (keys > this.#columns.refs.length) this.#resize(keys);
  }

  /** Adds a key or replaces the one with its id; returns its row. */
  put(key: KnownClientKey): number {
    const row = this.rowOfId(key.id);
    if (row < 0) return this.add(key);
    this.#byMac.remove(row);
    this.#releaseRecord(row);
    this.#fill(row, key);
    return row;
  }

  /** Adds a key whose id is not in the table, for which nothing has to be looked up; returns its row. */
  add(key: KnownClientKey): number {
    const row = this.#newRow();
    this.#fill(row, key);
    this.#columns.idHashes[row] = hashText(key.id);
    this.#byId.add(row);
    return row;
  }

  #fill(row: number, key: KnownClientKey): void {
    this.#columns.refs[row] = this.#arena.put(this.#writer.write(key));
    this.#columns.ownerHashes[row] = hashText(key.ownerId);
    this.#columns.expiries[row] = secondsOf(key.expiresAt);
    this.#macs.write(key.mac, row * MAC_BYTES, MAC_BYTES, "hex");
    this.#byMac.add(row);
  }

  /** Removes a row. */
  remove(row: number): void {
    this.#byMac.remove(row);
    this.#byId.remove(row);
    this.#releaseRecord(row);
    this.#columns.refs[row] = NO_RECORD;
    this.#columns.expiries[row] = NEVER;
    this.#freeRows.push(row);
  }

  /** All keys of an owner; reads one number per key of the server. */
  keysOf(ownerId: string): readonly KnownClientKey[] {
    const hash = hashText(ownerId);
    return this.#where((row) => this.#columns.ownerHashes[row] === hash).filter(
      (key) => key.ownerId === ownerId,
    );
  }

  /** All keys whose expiry lies after `afterMs` and not after `untilMs`. */
  expiringWithin(afterMs: number, untilMs: number): readonly KnownClientKey[] {
    const [first, last] = [secondsOf(afterMs), secondsOf(untilMs)];
    return this.#where((row) => {
      const expiry = this.#columns.expiries[row] ?? NEVER;
      return expiry >= first && expiry <= last;
    }).filter(({ expiresAt }) => {
      return expiresAt !== null && expiresAt > afterMs && expiresAt <= untilMs;
    });
  }

  #where(test: (row: number) => boolean): KnownClientKey[] {
    const keys: KnownClientKey[] = [];
    for (let row = 0; row < this.#rowsEnd; row++) {
      if (this.#columns.refs[row] !== NO_RECORD && test(row)) keys.push(this.keyAt(row));
    }
    return keys;
  }

  #refOf(row: number): number {
    const ref = this.#columns.refs[row] ?? NO_RECORD;
    if (ref === NO_RECORD) throw new Error(`row ${String(row)} holds no client key`);
    return ref;
  }

  #idOf(row: number): string {
    const ref = this.#refOf(row);
    return recordId(this.#arena.page(ref), this.#arena.offset(ref));
  }

  #releaseRecord(row: number): void {
    const ref = this.#refOf(row);
    this.#arena.release(ref, recordLength(this.#arena.page(ref), this.#arena.offset(ref)));
  }

  #newRow(): number {
    const free = this.#freeRows.pop();
    if (free !== undefined) return free;
    // By a quarter: doubling would leave half of a large table empty.
    const rows = this.#columns.refs.length;
    if (this.#rowsEnd === rows) this.#resize(Math.ceil(rows * 1.25));
    this.#rowsEnd += 1;
    return this.#rowsEnd - 1;
  }

  #resize(rows: number): void {
    const old = this.#columns;
    this.#columns = columns(rows);
    this.#columns.refs.set(old.refs);
    this.#columns.idHashes.set(old.idHashes);
    this.#columns.ownerHashes.set(old.ownerHashes);
    this.#columns.expiries.set(old.expiries);
    const macs = Buffer.alloc(rows * MAC_BYTES);
    macs.set(this.#macs);
    this.#macs = macs;
  }
}

function columns(rows: number): Columns {
  return {
    refs: new Uint32Array(rows).fill(NO_RECORD),
    idHashes: new Uint32Array(rows),
    ownerHashes: new Uint32Array(rows),
    expiries: new Uint32Array(rows).fill(NEVER),
  };
}

/** Whole seconds since the epoch as a column holds them; what lies beyond counts as the last of them. */
function secondsOf(timeMs: number | null): number {
  return timeMs === null ? NEVER : Math.min(Math.max(Math.floor(timeMs / 1000), 0), NEVER - 1);
}
