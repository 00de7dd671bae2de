import {
  isScope,
  type ClientKey,
  type ClientKeyFormat,
  type ClientKeyKind,
  type Scope,
} from "../core/client-key.js";
import { isUnlimited, UNLIMITED, type Limits } from "../core/limits.js";

/** Larger than any record: allow-lists and texts are limited where they come in. */
const RECORD_BYTES_MAX = 1 << 20;
const HEAD_BYTES = 6;
const TIME_BYTES = 6;
const MAC_BYTES = 32;
/** Stands before the length of a text that does not fit into one byte. */
const LONG_TEXT = 0xff;

const KINDS: readonly ClientKeyKind[] = ["STANDARD", "SUPER", "BYOR"];
const FORMATS: readonly ClientKeyFormat[] = ["SK", "UUID", "ALNUM32"];

// Bits of the flags; the lowest four are kind and format.
const ENABLED = 1 << 4;
const REVOKED = 1 << 5;
const EXPIRES = 1 << 6;
const ROTATED = 1 << 7;
const GRACE = 1 << 8;
const PREVIOUS = 1 << 9;
const USED = 1 << 10;
const LIMITS = 1 << 11;
const MODELS = 1 << 12;
const ADDRESSES = 1 << 13;
const SCOPES = 1 << 14;

/**
 * Writes client keys as bytes: everything but the MAC, which the directory keeps in a column, and the
 * sealed copy, which has no business on the hot path. Layout: length u32, flags u16, id, owner, then the
 * other fields; times and counts are 48-bit integers, absent ones are left out.
 */
export class ClientKeyWriter {
  readonly #bytes = Buffer.allocUnsafeSlow(RECORD_BYTES_MAX);
  #at = 0;

  /** The record; valid until the next call. */
  write(key: ClientKey): Uint8Array {
    this.#at = HEAD_BYTES;
    this.#text(key.id);
    this.#text(key.ownerId);
    this.#integer(key.createdAt);
    this.#integer(key.updatedAt);
    this.#integer(key.usageCount);
    this.#integer(key.version);
    this.#integer(key.pepperVersion);
    const flags =
      KINDS.indexOf(key.kind) |
      (FORMATS.indexOf(key.format) << 2) |
      (key.enabled ? ENABLED : 0) |
      this.#optional(key.revokedAt, REVOKED) |
      this.#optional(key.expiresAt, EXPIRES) |
      this.#optional(key.rotatedAt, ROTATED) |
      this.#optional(key.graceUntil, GRACE) |
      this.#optional(key.lastUsedAt, USED) |
      this.#previous(key.previousMac);
    this.#text(key.prefix);
    this.#text(key.name);
    this.#text(key.description);
    const flagsOfLists =
      this.#json(isUnlimited(key.limits) ? null : key.limits, LIMITS) |
      this.#json(key.modelAllowlist.length === 0 ? null : key.modelAllowlist, MODELS) |
      this.#json(key.ipAllowlist.length === 0 ? null : key.ipAllowlist, ADDRESSES) |
      this.#json(key.scopes.length === 0 ? null : key.scopes, SCOPES);
    this.#bytes.writeUInt32LE(this.#at, 0);
    this.#bytes.writeUInt16LE(flags | flagsOfLists, 4);
    return this.#bytes.subarray(0, this.#at);
  }

  #integer(value: number): void {
    this.#at = this.#bytes.writeUIntLE(value, this.#at, TIME_BYTES);
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

  #json(value: Limits | readonly string[] | null, flag: number): number {
    if (value === null) return 0;
    this.#text(JSON.stringify(value));
    return flag;
  }
}

/** The length of the record at an offset, in bytes. */
export function recordLength(page: Buffer, offset: number): number {
  return page.readUInt32LE(offset);
}

/** The id in the record at an offset. */
export function recordId(page: Buffer, offset: number): string {
  // An id is short ASCII, so its length is one byte.
  const start = offset + HEAD_BYTES + 1;
  return page.toString("latin1", start, start + (page[start - 1] ?? 0));
}

/** True if the record's key is neither revoked nor disabled. */
export function recordIsOn(page: Buffer, offset: number): boolean {
  return (page.readUInt16LE(offset + 4) & (ENABLED | REVOKED)) === ENABLED;
}

/** Reads client keys from their bytes. */
export class ClientKeyReader {
  #page: Buffer = Buffer.alloc(0);
  #at = 0;
  #flags = 0;

  /** The key whose record stands at an offset, with the MAC from the directory's column and no sealed copy. */
  read(page: Buffer, offset: number, mac: string): ClientKey {
    this.#page = page;
    this.#at = offset + HEAD_BYTES;
    const flags = page.readUInt16LE(offset + 4);
    this.#flags = flags;
    // The fields are read in the order in which they were written.
    const id = this.#text();
    const ownerId = this.#text();
    const createdAt = this.#integer();
    const updatedAt = this.#integer();
    const usageCount = this.#integer();
    const version = this.#integer();
    const pepperVersion = this.#integer();
    const revokedAt = this.#optional(REVOKED);
    const expiresAt = this.#optional(EXPIRES);
    const rotatedAt = this.#optional(ROTATED);
    const graceUntil = this.#optional(GRACE);
    const lastUsedAt = this.#optional(USED);
    const previousMac = this.#previous();
    const prefix = this.#text();
    const name = this.#text();
    const description = this.#text();
    const limits = this.#json(LIMITS, isLimits) ?? UNLIMITED;
    const modelAllowlist = this.#json(MODELS, isList) ?? NONE;
    const ipAllowlist = this.#json(ADDRESSES, isList) ?? NONE;
    const scopes = this.#json(SCOPES, isScopes) ?? NO_SCOPES;
    return {
      id,
      ownerId,
      kind: KINDS[flags & 3] ?? "STANDARD",
      format: FORMATS[(flags >> 2) & 3] ?? "SK",
      mac,
      pepperVersion,
      previousMac,
      graceUntil,
      sealedCopy: null,
      prefix,
      name,
      description,
      enabled: (flags & ENABLED) !== 0,
      revokedAt,
      expiresAt,
      modelAllowlist,
      ipAllowlist,
      scopes,
      limits,
      createdAt,
      updatedAt,
      rotatedAt,
      lastUsedAt,
      usageCount,
      version,
    };
  }

  #integer(): number {
    const value = this.#page.readUIntLE(this.#at, TIME_BYTES);
    this.#at += TIME_BYTES;
    return value;
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
