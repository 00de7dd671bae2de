/** Castagnoli's polynomial, bits reversed: the checksum of iSCSI and ext4. */
const POLYNOMIAL = 0x82f63b78;
/** Bytes that go in one step. */
const STRIDE = 8;
/** Eight tables in one: table k holds what a byte does that has k bytes behind it in its step. */
const TABLES = makeTables();

/**
 * CRC-32C of `bytes` from `start` to `end` (exclusive), continued from `seed` (the CRC of what came before).
 * Unsigned 32-bit.
 */
export function crc32c(bytes: Uint8Array, start = 0, end = bytes.length, seed = 0): number {
  let crc = ~seed;
  let i = start;
  const whole = end - ((end - start) % STRIDE);
  for (; i < whole; i += STRIDE) {
    crc ^=
      at(bytes, i) | (at(bytes, i + 1) << 8) | (at(bytes, i + 2) << 16) | (at(bytes, i + 3) << 24);
    crc =
      at(TABLES, 0x700 | (crc & 0xff)) ^
      at(TABLES, 0x600 | ((crc >>> 8) & 0xff)) ^
      at(TABLES, 0x500 | ((crc >>> 16) & 0xff)) ^
      at(TABLES, 0x400 | (crc >>> 24)) ^
      at(TABLES, 0x300 | at(bytes, i + 4)) ^
      at(TABLES, 0x200 | at(bytes, i + 5)) ^
      at(TABLES, 0x100 | at(bytes, i + 6)) ^
      at(TABLES, at(bytes, i + 7));
  }
  for (; i < end; i++) crc = (crc >>> 8) ^ at(TABLES, (crc ^ at(bytes, i)) & 0xff);
  return ~crc >>> 0;
}

/** Every index is inside its array; the zero only satisfies the compiler. */
function at(values: Uint8Array | Int32Array, index: number): number {
  return values[index] ?? 0;
}

function makeTables(): Int32Array {
  const tables = new Int32Array(STRIDE * 256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
    tables[byte] = crc;
  }
  for (let i = 256; i < tables.length; i++) {
    const before = at(tables, i - 256);
    tables[i] = (before >>> 8) ^ at(tables, before & 0xff);
  }
  return tables;
}
