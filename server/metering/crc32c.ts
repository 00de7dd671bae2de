/** Castagnoli's polynomial, bits reversed: the checksum of iSCSI and ext4. */
const POLYNOMIAL = 0x82f63b78;
/** Tables 1 to 3 hold table 0 advanced by one to three bytes, so that four bytes go in one step. */
const [T0, T1, T2, T3] = makeTables();

/**
 * CRC-32C of `bytes` from `start` to `end` (exclusive), continued from `seed` (the CRC of what came before).
 * Unsigned 32-bit.
 */
export function crc32c(bytes: Uint8Array, start = 0, end = bytes.length, seed = 0): number {
  let crc = ~seed;
  let i = start;
  const whole = end - ((end - start) & 3);
  for (; i < whole; i += 4) {
    crc ^=
      at(bytes, i) | (at(bytes, i + 1) << 8) | (at(bytes, i + 2) << 16) | (at(bytes, i + 3) << 24);
    crc =
      at(T3, crc & 0xff) ^
      at(T2, (crc >>> 8) & 0xff) ^
      at(T1, (crc >>> 16) & 0xff) ^
      at(T0, crc >>> 24);
  }
  for (; i < end; i++) crc = (crc >>> 8) ^ at(T0, (crc ^ at(bytes, i)) & 0xff);
  return ~crc >>> 0;
}

/** Every index is inside its array; the zero only satisfies the compiler. */
function at(values: Uint8Array | Int32Array, index: number): number {
  return values[index] ?? 0;
}

function makeTables(): readonly [Int32Array, Int32Array, Int32Array, Int32Array] {
  const first = Int32Array.from({ length: 256 }, (_, byte) => {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
    return crc;
  });
  const advance = (table: Int32Array): Int32Array =>
    table.map((crc) => (crc >>> 8) ^ (first[crc & 0xff] ?? 0));
  const second = advance(first);
  const third = advance(second);
  return [first, second, third, advance(third)];
}
