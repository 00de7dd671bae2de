import { latin1 } from "../../core/bytes.js";
import { mayLast } from "./plausible.js";
import type { Steps } from "./steps.js";

/** Samples a second by their number in the set-up of AAC. */
const AAC_RATES = [
  96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000,
  7_350,
] as const;
/** Samples of one frame of AAC, before what doubles them doubles their rate too. */
const AAC_FRAME = 1_024;
/** Bytes of one frame, of two channels at the most that AAC can have; of more channels nobody speaks. */
const AAC_FRAME_BYTES_MAX = 1_536;
/** Names of boxes as numbers. */
const MOOV = 0x6d6f6f76;
const TRAK = 0x7472616b;
const MDIA = 0x6d646961;
const MINF = 0x6d696e66;
const STBL = 0x7374626c;
const MOOF = 0x6d6f6f66;
const TRAF = 0x74726166;
const TFHD = 0x74666864;
const TKHD = 0x746b6864;
const MDHD = 0x6d646864;
const HDLR = 0x68646c72;
const STSD = 0x73747364;
const STSZ = 0x7374737a;
const STZ2 = 0x73747a32;
const TRUN = 0x7472756e;
/** Boxes that are looked into. */
const OUTER: ReadonlySet<number> = new Set([MOOV, TRAK, MDIA, MINF, STBL, MOOF, TRAF]);
const TRACKS_MAX = 16;

/** A track, as far as it has been read. */
interface Track {
  id: number;
  isSound: boolean;
  /** Seconds, as its head tells. */
  told: number;
  /** Samples a second where it is AAC, else 0. */
  aacRate: number;
  frames: number;
  bytes: number;
}

/**
 * Seconds of the sound in MP4 and M4A. AAC: as many frames as the tables name, at the beginning, at the end or in
 * fragments; what a head tells of its length is not looked at. Other sound: as its track tells, as far as it can be
 * true of so many bytes.
 */
export function mp4Seconds(file: Buffer, start: number, steps: Steps): number | undefined {
  const tracks: Track[] = [];
  // All boxes in a row: those that are looked into go on with what is in them.
  for (let at = start; at + 8 <= file.length;) {
    if (!steps.take(4)) return undefined;
    const name = file.readUInt32BE(at + 4);
    const isLong = file.readUInt32BE(at) === 1;
    const body = at + (isLong ? 16 : 8);
    const end = Math.min(Math.max(at + sizeAt(file, at), body), file.length);
    if (name === TRAK && tracks.push(newTrack()) > TRACKS_MAX) return undefined;
    const track = name === TFHD ? trackOf(tracks, file.readUInt32BE(body + 4)) : tracks.at(-1);
    if (track !== undefined && body + 8 <= end) {
      if (!readBox(track, { name, body, end }, file, steps)) return undefined;
    }
    at = OUTER.has(name) ? body : end;
  }
  const sounds = tracks.filter((track) => track.isSound).map(secondsOf);
  if (sounds.length === 0 || sounds.includes(undefined)) return undefined;
  return Math.max(...sounds.map((seconds) => seconds ?? 0));
}

interface Box {
  readonly name: number;
  readonly body: number;
  readonly end: number;
}

/** Bytes of the box that begins here; without a size it goes to the end. */
function sizeAt(file: Buffer, at: number): number {
  const size = file.readUInt32BE(at);
  if (size !== 1) return size === 0 ? file.length : size;
  return file.readUInt32BE(at + 8) * 2 ** 32 + file.readUInt32BE(at + 12);
}

function newTrack(): Track {
  return { id: 0, isSound: false, told: 0, aacRate: 0, frames: 0, bytes: 0 };
}

/** The track that a fragment is of, moved to where what follows is read into. */
function trackOf(tracks: Track[], id: number): Track | undefined {
  const index = tracks.findIndex((track) => track.id === id);
  if (index >= 0) tracks.push(...tracks.splice(index, 1));
  return tracks.at(-1);
}

/** False when there were too many steps. */
function readBox(track: Track, { name, body, end }: Box, file: Buffer, steps: Steps): boolean {
  switch (name) {
    case TKHD:
      track.id = file.readUInt32BE(body + (file[body] === 1 ? 20 : 12));
      break;
    case MDHD:
      track.told = toldAt(file, body);
      break;
    case HDLR:
      track.isSound ||= latin1(file, body + 8, body + 12) === "soun";
      break;
    case STSD:
      track.aacRate = aacRateIn(file, body, end);
      break;
    case STSZ:
      return addSizes(track, file, { at: body + 4, end }, steps);
    case STZ2:
    case TRUN:
      track.frames += file.readUInt32BE(body + (name === TRUN ? 4 : 8));
      break;
    default:
  }
  return true;
}

function toldAt(file: Buffer, body: number): number {
  const isLong = file[body] === 1;
  const scale = file.readUInt32BE(body + (isLong ? 20 : 12));
  const high = isLong ? file.readUInt32BE(body + 24) * 2 ** 32 : 0;
  return (high + file.readUInt32BE(body + (isLong ? 28 : 16))) / Math.max(1, scale);
}

/** Samples a second of AAC, by what sets its decoder up; 0 of what is something else. */
function aacRateIn(file: Buffer, start: number, end: number): number {
  const esds = file.subarray(start, Math.min(end, start + 4_096)).indexOf("esds");
  if (esds < 0) return 0;
  const at = start + esds + 8;
  const [kind, kindAt] = descriptorAt(file, at, 0x03);
  const [, setUp] = kind ? descriptorAt(file, kindAt + 3, 0x04) : [false, 0];
  // MPEG-4 audio, or one of the three older kinds of AAC.
  if (![0x40, 0x66, 0x67, 0x68].includes(file[setUp] ?? 0)) return 0;
  const [isThere, bits] = descriptorAt(file, setUp + 13, 0x05);
  const setUpBits = file.readUInt16BE(bits);
  // Of kinds with a number of more than five bits it stands elsewhere.
  const isPlain = isThere && setUpBits >>> 11 < 31;
  return isPlain ? (AAC_RATES[(setUpBits >>> 7) & 15] ?? 0) : 0;
}

/** Whether a part of a set-up with this tag stands here, and where what is in it begins. */
function descriptorAt(file: Buffer, at: number, tag: number): readonly [boolean, number] {
  let body = at + 1;
  // Its length has up to four bytes, all but the last with the highest bit.
  for (let bytes = 1; bytes < 4 && (file[body] ?? 0) >= 0x80; bytes++) body++;
  return [file[at] === tag, body + 1];
}

/** A table of the sizes of all frames, or one size for all. */
function addSizes(
  track: Track,
  file: Buffer,
  { at, end }: { readonly at: number; readonly end: number },
  steps: Steps,
): boolean {
  const each = file.readUInt32BE(at);
  const frames = file.readUInt32BE(at + 4);
  track.frames += frames;
  track.bytes += each * frames;
  const table = each > 0 ? 0 : Math.min(end, at + 8 + frames * 4);
  for (let entry = at + 8; entry + 4 <= table; entry += 4) {
    if (!steps.take()) return false;
    track.bytes += file.readUInt32BE(entry);
  }
  return true;
}

/** Undefined where what is told cannot be true. */
function secondsOf({ aacRate, frames, bytes, told }: Track): number | undefined {
  if (aacRate > 0 && frames > 0 && bytes <= frames * AAC_FRAME_BYTES_MAX) {
    return (frames * AAC_FRAME) / aacRate;
  }
  return told > 0 && bytes > 0 && mayLast(bytes, told) ? told : undefined;
}
