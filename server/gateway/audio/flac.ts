import type { Steps } from "./steps.js";

/** Samples a second, by what the head of a frame says; the first is that of the whole stream. */
const RATES = [
  0, 88_200, 176_400, 192_000, 8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000,
] as const;
/** A head and a check sum are longer than this. */
const FRAME_BYTES_MIN = 6;
const CHANNELS_LAST = 10;
/** Bytes behind the number of a frame that say how many samples it has, by the code that it has for them. */
const SIZE_BYTES: readonly number[] = [0, 0, 0, 0, 0, 0, 1, 2];

/**
 * Seconds of a FLAC file: the sum of its frames, each of which is known by the check sum of its head. The number of
 * samples that the file begins with is not looked at, for players play what is there.
 */
export function flacSeconds(file: Buffer, start: number, steps: Steps): number | undefined {
  const streamRate = file.readUIntBE(start + 18, 3) >>> 4;
  let at = start + 4;
  for (let isLast = false; !isLast;) {
    if (!steps.take()) return undefined;
    isLast = ((file[at] ?? 0x80) & 0x80) !== 0;
    at += 4 + file.readUIntBE(at + 1, 3);
  }
  // All frames begin with the same two bytes.
  const sync = file.subarray(at, at + 2);
  if (sync[0] !== 0xff || (sync[1] ?? 0) >>> 1 !== 0x7c) return undefined;
  let seconds = 0;
  for (; at >= 0 && at + 16 <= file.length; at = file.indexOf(sync, at)) {
    if (!steps.take(4)) return undefined;
    const found = frameSeconds(file, at, streamRate);
    seconds += found;
    at += found > 0 ? FRAME_BYTES_MIN : 1;
  }
  return seconds > 0 ? seconds : undefined;
}

/** Seconds of the frame that begins here; 0 for what is none. */
function frameSeconds(file: Buffer, at: number, streamRate: number): number {
  const sizeCode = (file[at + 2] ?? 0) >>> 4;
  const rateCode = (file[at + 2] ?? 0) & 15;
  const layout = file[at + 3] ?? 0xff;
  if (sizeCode === 0 || rateCode === 15 || layout >>> 4 > CHANNELS_LAST) return 0;
  // The number of the frame is as long as its first byte begins with ones, as letters in UTF-8 are.
  const sizeAt = at + 4 + Math.max(1, Math.clz32(~((file[at + 4] ?? 0) << 24)));
  const rateAt = sizeAt + (SIZE_BYTES[sizeCode] ?? 0);
  const end = rateAt + Math.max(0, Math.min(rateCode - 11, 2));
  if (crc8(file, at, end) !== file[end]) return 0;
  const rate = rateOf(file, rateCode, rateAt) || streamRate;
  return rate > 0 ? samplesOf(file, sizeCode, sizeAt) / rate : 0;
}

function samplesOf(file: Buffer, code: number, at: number): number {
  if (code === 6) return (file[at] ?? 0) + 1;
  if (code === 7) return file.readUInt16BE(at) + 1;
  if (code === 1) return 192;
  return code < 6 ? 576 << (code - 2) : 256 << (code - 8);
}

function rateOf(file: Buffer, code: number, at: number): number {
  if (code < 12) return RATES[code] ?? 0;
  if (code === 12) return (file[at] ?? 0) * 1_000;
  return file.readUInt16BE(at) * (code === 14 ? 10 : 1);
}

/** The check sum of a frame's head, of up to sixteen bytes. */
function crc8(file: Buffer, start: number, end: number): number {
  let sum = 0;
  for (let at = start; at < end; at++) sum = CRC8[sum ^ (file[at] ?? 0)] ?? 0;
  return sum;
}

/** What each byte becomes when it is divided by the polynomial, 0x07. */
const CRC8 = Uint8Array.from({ length: 256 }, (_, byte) => {
  let sum = byte;
  for (let bit = 0; bit < 8; bit++) sum = (sum << 1) ^ (sum & 0x80 ? 0x107 : 0);
  return sum;
});
