import {
  isScope,
  type ClientKeyKind,
  type KnownClientKey,
  type Scope,
} from "../core/client-key.js";
import { isUnlimited, UNLIMITED, type Limits } from "../core/limits.js";
import { PACKED_ID_BYTES, packId, unpackId } from "./packed-id.js";

/** Larger than any record: allow-lists and texts are limited where they come in. */
const RECORD_BYTES_MAX = 1 << 20;
const LENGTH_BYTES = 3;
const HEAD_BYTES = LENGTH_BYTES + 2;
const MAC_BYTES = 32;
/** Written before the length of a text where that does not fit into one byte. */
const LONG_TEXT = 0xff;
const ID_PREFIX = "ck_";
const OWNER_PREFIX = "usr_";

const KINDS: readonly ClientKeyKind[] = ["STANDARD", "SUPER", "BYOR"];

// Bits of the flags; the lowest two are the kind.
const ENABLED = 1 << 2;
const REVOKED = 1 << 3;
const EXPIRES = 1 << 4;
const GRACE = 1 << 5;
const PREVIOUS = 1 << 6;
const LIMITS = 1 << 7;
const MODELS = 1 << 8;
const ADDRESSES = 1 << 9;
const SCOPES = 1 << 10;
const PACKED_ID = 1 << 11;
const PACKED_OWNER = 1 << 12;

/**
 * Writes client keys as bytes: everything but the MAC, which the directory keeps in a column. Layout: length
 * u24, flags u16, id, owner, then the other fields; integers have seven bits in each byte, absent fields are
 * left out.
 */
export class ClientKeyWriter {
  readonly #bytes = Buffer.allocUnsafeSlow(RECORD_BYTES_MAX);
  #at = 0;

  /** The record; valid until the next call. */
  write(key: KnownClientKey): Uint8Array {
    this.#at = HEAD_BYTES;
    const flags =
      KINDS.indexOf(key.kind) |
      (key.enabled ? ENABLED : 0) |
      this.#id(ID_PREFIX, key.id, PACKED_ID) |
      this.#id(OWNER_PREFIX, key.ownerId, PACKED_OWNER) |
      this.#optional(key.revokedAt, REVOKED) |
      this.#optional(key.expiresAt, EXPIRES) |
      this.#optional(key.graceUntil, GRACE) |
      this.#previous(key.previousMac) |
      this.#json(isUnlimited(key.limits) ? null : key.limits, LIMITS) |
      this.#json(key.modelAllowlist.length === 0 ? null : key.modelAllowlist, MODELS) |
      this.#json(key.ipAllowlist.length === 0 ? null : key.ipAllowlist, ADDRESSES) |
      this.#json(key.scopes.length === 0 ? null : key.scopes, SCOPES);
    this.#integer(key.pepperVersion);
    this.#text(key.prefix);
    this.#text(key.name);
    this.#bytes.writeUIntLE(this.#at, 0, LENGTH_BYTES);
    this.#bytes.writeUInt16LE(flags, LENGTH_BYTES);
    return this.#bytes.subarray(0, this.#at);
  }

  #id(prefix: string, id: string, flag: number): number {
    if (packId(prefix, id, this.#bytes, this.#at)) {
      this.#at += PACKED_ID_BYTES;
      return flag;
    }
    this.#text(id);
    return 0;
  }

  #integer(value: number): void {
    let rest = value;
    for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) {
      this.#bytes[this.#at] = (rest % 0x80) | 0x80;
      this.#at += 1;
    }
    this.#bytes[this.#at] = rest;
    this.#at += 1;
  }

  #optional(value: number | null, flag: number): number {
    if (value === null) return 0;
    this.#integer(value);
    return flag;
  }

  #previous(mac: string | null): number {
    if (mac === null) return 0;
    this.#at += this.#bytes.write(mac, this.#at, MAC_BYTES, "hex");
    return PREVIOUS;
  }

  #text(value: string): void {
    if (this.#ascii(value)) return;
    const length = Buffer.byteLength(value);
    if (length < LONG_TEXT) {
      this.#bytes[this.#at] = length;
      this.#at += 1;
    } else {
      this.#bytes[this.#at] = LONG_TEXT;
      this.#at = this.#bytes.writeUInt32LE(length, this.#at + 1);
    }
    this.#at += this.#bytes.write(value, this.#at);
  }

  /** Nearly all texts are short and plain; for those the calls into the runtime would cost more than the copy. */
  #ascii(value: string): boolean {
    if (value.length >= LONG_TEXT) return false;
    const start = this.#at + 1;
    for (let i = 0; i < value.length; i++) {
      const unit = value.charCodeAt(i);
      if (unit >= 0x80) return false;
      this.#bytes[start + i] = unit;
    }
    this.#bytes[this.#at] = value.length;
    this.#at = start + value.length;
    return true;
  }

  #json(value: Limits | readonly string[] | null, flag: number): number {
    if (value === null) return 0;
    this.#text(JSON.stringify(value));
    return flag;
  }
}

/** The length of the record at an offset, in bytes. */
export function recordLength(page: Buffer, offset: number): number {
  return page.readUIntLE(offset, LENGTH_BYTES);
}

/** The id in the record at an offset. */
export function recordId(page: Buffer, offset: number): string {
  const start = offset + HEAD_BYTES;
  if ((flagsAt(page, offset) & PACKED_ID) !== 0) return unpackId(ID_PREFIX, page, start);
  // An id is short ASCII, so its length is one byte.
  return page.toString("latin1", start + 1, start + 1 + (page[start] ?? 0));
}

/** True if the record's key is neither revoked nor disabled. */
export function recordIsOn(page: Buffer, offset: number): boolean {
  return (flagsAt(page, offset) & (ENABLED | REVOKED)) === ENABLED;
}

function flagsAt(page: Buffer, offset: number): number {
  return page.readUInt16LE(offset + LENGTH_BYTES);
}

/** Reads client keys from their bytes. */
export class ClientKeyReader {
  #page: Buffer = Buffer.alloc(0);
  #at = 0;
  #flags = 0;

  /** The key whose record stands at an offset, with the MAC from the directory's column. */
  read(page: Buffer, offset: number, mac: string): KnownClientKey {
    this.#page = page;
    this.#at = offset + HEAD_BYTES;
    const flags = flagsAt(page, offset);
    this.#flags = flags;
    // The fields are read in the order in which they were written.
    const id = this.#id(ID_PREFIX, PACKED_ID);
    const ownerId = this.#id(OWNER_PREFIX, PACKED_OWNER);
    const revokedAt = this.#optional(REVOKED);
    const expiresAt = this.#optional(EXPIRES);
    const graceUntil = this.#optional(GRACE);
    const previousMac = this.#previous();
    const limits = this.#json(LIMITS, isLimits) ?? UNLIMITED;
    const modelAllowlist = this.#json(MODELS, isList) ?? NONE;
    const ipAllowlist = this.#json(ADDRESSES, isList) ?? NONE;
    const scopes = this.#json(SCOPES, isScopes) ?? NO_SCOPES;
    const pepperVersion = this.#integer();
    const prefix = this.#text();
    const name = this.#text();
    return {
      id,
      ownerId,
      kind: KINDS[flags & 3] ?? "STANDARD",
      mac,
      pepperVersion,
      previousMac,
      graceUntil,
      prefix,
      name,
      enabled: (flags & ENABLED) !== 0,
      revokedAt,
      expiresAt,
      modelAllowlist,
      ipAllowlist,
      scopes,
      limits,
    };
  }

  #id(prefix: string, flag: number): string {
    if ((this.#flags & flag) === 0) return this.#text();
    this.#at += PACKED_ID_BYTES;
    return unpackId(prefix, this.#page, this.#at - PACKED_ID_BYTES);
  }

  #integer(): number {
    let value = 0;
    for (let place = 1; ; place *= 0x80) {
      const byte = this.#page[this.#at] ?? 0;
      this.#at += 1;
      value += (byte & 0x7f) * place;
      if (byte < 0x80) return value;
    }
  }

  #optional(flag: number): number | null {
    return (this.#flags & flag) === 0 ? null : this.#integer();
  }

  #previous(): string | null {
    if ((this.#flags & PREVIOUS) === 0) return null;
    this.#at += MAC_BYTES;
    return this.#page.toString("hex", this.#at - MAC_BYTES, this.#at);
  }

  #text(): string {
    let length = this.#page[this.#at] ?? 0;
    this.#at += 1;
    if (length === LONG_TEXT) {
      length = this.#page.readUInt32LE(this.#at);
      this.#at += 4;
    }
    this.#at += length;
    return this.#page.toString("utf8", this.#at - length, this.#at);
  }

  #json<T>(flag: number, is: (value: unknown) => value is T): T | undefined {
    if ((this.#flags & flag) === 0) return undefined;
    const value: unknown = JSON.parse(this.#text());
    if (!is(value)) throw new Error("a client key's record is damaged");
    return value;
  }
}

const NONE: readonly string[] = [];
const NO_SCOPES: readonly Scope[] = [];

// The bytes are our own, so a glance at the shape is enough.
function isLimits(value: unknown): value is Limits {
  return typeof value === "object" && value !== null && "requestsPerMinute" in value;
}

function isList(value: unknown): value is readonly string[] {
  return Array.isArray(value);
}

function isScopes(value: unknown): value is readonly Scope[] {
  return isList(value) && value.every(isScope);
}
