import { latin1 } from "../../core/bytes.js";
import type { Steps } from "./steps.js";

/** Samples as they are, as floating point, as A-law and µ-law, and as the head says further on. */
const PLAIN: ReadonlySet<number> = new Set([1, 3, 6, 7, 0xfffe]);
const CHANNELS_MAX = 64;
const BITS_MAX = 64;

/**
 * Seconds of a WAV file, by what a sample takes and not by the rate in bytes that its head tells, which players do not
 * look at either. Undefined for what is packed.
 */
export function waveSeconds(file: Buffer, start: number, steps: Steps): number | undefined {
  for (let at = start + 12; at + 24 <= file.length && steps.take();) {
    const size = file.readUInt32LE(at + 4);
    if (latin1(file, at, at + 4) === "fmt ") return secondsAt(file, at + 8);
    at += 8 + size + (size % 2);
  }
  return undefined;
}

function secondsAt(file: Buffer, format: number): number | undefined {
  const channels = file.readUInt16LE(format + 2);
  const rate = file.readUInt32LE(format + 4);
  const bits = file.readUInt16LE(format + 14);
  const isPlain = PLAIN.has(file.readUInt16LE(format));
  if (!isPlain || channels > CHANNELS_MAX || bits > BITS_MAX) return undefined;
  const perSecond = rate * channels * Math.ceil(bits / 8);
  // A size of its samples may be missing, or wrong: what stands there is played to its end.
  return perSecond > 0 ? (file.length - format) / perSecond : undefined;
}
