import { timingSafeEqual } from "node:crypto";
import type { Random } from "../core/random.js";

/**
 * Zeroed memory for key material. V8 keeps the contents of small typed arrays on its moving heap, where
 * the collector leaves copies behind; an explicit ArrayBuffer lies outside it, so that `wipe` gets every copy.
 */
export function wipeable(length: number): Uint8Array {
  return new Uint8Array(new ArrayBuffer(length));
}

/** A copy of key material in wipeable memory. */
export function wipeableCopy(bytes: Uint8Array): Uint8Array {
  const copy = wipeable(bytes.length);
  copy.set(bytes);
  return copy;
}

/** More than V8 keeps on its heap for a typed array. */
const DRAWN_BYTES_MIN = 128;

/** Random key material, in memory that `wipe` can zero. */
export function randomKey(random: Random, length: number): Uint8Array {
  const drawn = random.bytes(Math.max(length, DRAWN_BYTES_MIN));
  const key = wipeableCopy(drawn.subarray(0, length));
  wipe(drawn);
  return key;
}

/** Overwrites key material with zeros. */
export function wipe(...buffers: readonly Uint8Array[]): void {
  for (const buffer of buffers) buffer.fill(0);
}

/** Compares in time that depends on the lengths alone. */
export function equalBytes(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && timingSafeEqual(one, other);
}

/**
 * One unambiguous encoding of a list of fields: each is preceded by its length in bytes, so that no two
 * different lists share an encoding. `label` separates the uses of a key from each other.
 */
export function canonical(
  label: string,
  fields: readonly (string | number | Uint8Array)[],
): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const field of [label, ...fields]) {
    const bytes = typeof field === "object" ? field : Buffer.from(String(field), "utf8");
    parts.push(uint32(bytes.length), bytes);
  }
  return Buffer.concat(parts);
}

/** Four bytes, big end first. */
export function uint32(value: number): Uint8Array {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** Reads what `uint32` wrote; undefined beyond the end. */
export function readUint32(bytes: Uint8Array, offset: number): number | undefined {
  if (offset + 4 > bytes.length) return undefined;
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(offset);
}
