import type { Steps } from "./steps.js";

/** Kilobits a second by what the head of a frame says; 0 for none that is known. */
const KILOBITS = {
  first1: [0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448, 0],
  first2: [0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 0],
  first3: [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0],
  second1: [0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256, 0],
  second2: [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0],
} as const;
/** Samples a second of the first version; others have the half and the fourth. */
const RATES = [44_100, 48_000, 32_000, 0] as const;
const NO_FRAME = -1;
/** Heads that tell different lengths: the bits of them that do. */
const HEADS = 1 << 12;

/**
 * Seconds of MPEG audio of any layer: the sum of its frames. What a head of the whole says of their number is not
 * looked at, for players play what is there.
 */
export function mp3Seconds(file: Buffer, start: number, steps: Steps): number | undefined {
  // There are few heads, and a file has mostly two of them.
  const bytes = new Int16Array(HEADS);
  const durations = new Float64Array(HEADS);
  let seconds = 0;
  for (let at = start; at + 4 <= file.length;) {
    if (!steps.take()) return undefined;
    const head = file.readUInt32BE(at);
    const kind = (head >>> 9) & (HEADS - 1);
    if (!beginsFrame(head)) at++;
    else {
      if (bytes[kind] === 0) {
        bytes[kind] = frameBytes(head);
        durations[kind] = bytes[kind] === NO_FRAME ? 0 : samplesOf(head) / rateOf(head);
      }
      seconds += durations[kind] ?? 0;
      at += Math.max(1, bytes[kind] ?? 1);
    }
  }
  return seconds > 0 ? seconds : undefined;
}

/** Bytes of a frame with this head; -1 for what is none. */
function frameBytes(head: number): number {
  const rate = rateOf(head);
  const bits = kilobitsOf(head) * 1_000;
  if (rate === 0 || bits === 0) return NO_FRAME;
  const padding = (head >>> 9) & 1;
  const slot = layerOf(head) === 1 ? 4 : 1;
  return (Math.floor(((samplesOf(head) / 8) * bits) / rate / slot) + padding) * slot;
}

/** True for the first bits of MPEG audio, in a version and a layer that there are. */
export function beginsFrame(head: number): boolean {
  return head >>> 21 === 0x7ff && ((head >>> 19) & 3) !== 1 && ((head >>> 17) & 3) !== 0;
}

function layerOf(head: number): number {
  return 4 - ((head >>> 17) & 3);
}

function isFirst(head: number): boolean {
  return ((head >>> 19) & 3) === 3;
}

function rateOf(head: number): number {
  const version = (head >>> 19) & 3;
  const rate = RATES[(head >>> 10) & 3] ?? 0;
  return version === 3 ? rate : rate / (version === 2 ? 2 : 4);
}

function samplesOf(head: number): number {
  const layer = layerOf(head);
  if (layer === 1) return 384;
  return layer === 2 || isFirst(head) ? 1_152 : 576;
}

function kilobitsOf(head: number): number {
  return tableOf(head)[(head >>> 12) & 15] ?? 0;
}

function tableOf(head: number): readonly number[] {
  const layer = layerOf(head);
  if (!isFirst(head)) return layer === 1 ? KILOBITS.second1 : KILOBITS.second2;
  if (layer === 1) return KILOBITS.first1;
  return layer === 2 ? KILOBITS.first2 : KILOBITS.first3;
}
