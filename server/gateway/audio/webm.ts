import { latin1 } from "../../core/bytes.js";
import { OPUS_PACKET_SECONDS_MAX, opusSeconds } from "./opus.js";
import { mayLast } from "./plausible.js";
import type { Steps } from "./steps.js";

const SEGMENT = 0x18538067;
const CLUSTER = 0x1f43b675;
const INFO = 0x1549a966;
const TRACKS = 0x1654ae6b;
const TRACK = 0xae;
const GROUP = 0xa0;
const SCALE = 0x2ad7b1;
const DURATION = 0x4489;
const TIME = 0xe7;
const SIMPLE_BLOCK = 0xa3;
const BLOCK = 0xa1;
const TRACK_NUMBER = 0xd7;
const TRACK_TYPE = 0x83;
const CODEC = 0x86;
/** Elements that are looked into. */
const OUTER: ReadonlySet<number> = new Set([SEGMENT, CLUSTER, INFO, TRACKS, TRACK, GROUP]);
const CLUSTER_BYTES = Buffer.from("1f43b675", "hex");
const SOUND = 2;
const TRACKS_MAX = 16;
const NANOS_PER_SECOND = 1e9;

interface Track {
  number: number;
  isSound: boolean;
  isOpus: boolean;
}

/** What has been read of a file. */
interface Reading {
  readonly file: Buffer;
  readonly tracks: Track[];
  nanosPerTick: number;
  duration: number;
  clusterTicks: number;
  /** Of the last block of sound. */
  lastTicks: number;
  bytes: number;
  opusSeconds: number;
}

/**
 * Seconds of the sound in WebM and Matroska: up to the last block of it, or to the told end where that is later; of
 * Opus, whose packets each say how long they are, at least their sum. Of other sound, as far as it can be true of so
 * many bytes.
 */
export function webmSeconds(file: Buffer, start: number, steps: Steps): number | undefined {
  const reading: Reading = {
    file,
    tracks: [],
    nanosPerTick: 1_000_000,
    duration: 0,
    clusterTicks: 0,
    lastTicks: 0,
    bytes: 0,
    opusSeconds: 0,
  };
  // All elements in a row: those that are looked into go on with what is in them.
  let cluster = start;
  for (let at = start; at + 2 <= file.length;) {
    if (!steps.take(3)) return undefined;
    if (cluster <= at) cluster = nextCluster(file, at + 1);
    const idBytes = lengthOf(file[at] ?? 0);
    const sizeAt = at + idBytes;
    const sizeBytes = lengthOf(file[sizeAt] ?? 0);
    const body = sizeAt + sizeBytes;
    if (idBytes > 4 || sizeBytes > 8 || body > file.length) {
      at = cluster;
      continue;
    }
    const id = wholeAt(file, at, sizeAt);
    const end = Math.min(body + sizeOf(file, sizeAt, sizeBytes), file.length);
    if (!readElement(reading, id, body, end)) return undefined;
    // Players look for the next cluster where a size is wrong.
    at = OUTER.has(id) ? body : Math.min(end, cluster);
  }
  return secondsOf(reading);
}

function nextCluster(file: Buffer, from: number): number {
  const at = file.indexOf(CLUSTER_BYTES, from);
  return at < 0 ? file.length : at;
}

/** Bytes of a number by how many zeros its first begins with. */
function lengthOf(first: number): number {
  return Math.clz32(first << 24 || 1 << 15) + 1;
}

function sizeOf(file: Buffer, at: number, bytes: number): number {
  let size = (file[at] ?? 0) & (0xff >>> bytes);
  for (let each = at + 1; each < at + bytes; each++) size = size * 256 + (file[each] ?? 0);
  return size;
}

/** False for what nobody writes. */
function readElement(reading: Reading, id: number, body: number, end: number): boolean {
  const { file, tracks } = reading;
  const track = tracks.at(-1);
  switch (id) {
    case TRACK:
      tracks.push({ number: 0, isSound: false, isOpus: false });
      break;
    case TRACK_NUMBER:
      if (track !== undefined) track.number = wholeAt(file, body, end);
      break;
    case TRACK_TYPE:
      if (track !== undefined) track.isSound = wholeAt(file, body, end) === SOUND;
      break;
    case CODEC:
      if (track !== undefined)
        track.isOpus = latin1(file, body, Math.min(end, body + 6)) === "A_OPUS";
      break;
    case SCALE:
      reading.nanosPerTick = wholeAt(file, body, end);
      break;
    case DURATION:
      reading.duration = floatAt(file, body, end);
      break;
    case TIME:
      reading.clusterTicks = wholeAt(file, body, end);
      break;
    case SIMPLE_BLOCK:
    case BLOCK:
      addBlock(reading, body, end);
      break;
    default:
  }
  return tracks.length <= TRACKS_MAX;
}

function wholeAt(file: Buffer, start: number, end: number): number {
  let value = 0;
  for (let at = start; at < Math.min(end, start + 8); at++) value = value * 256 + (file[at] ?? 0);
  return value;
}

function floatAt(file: Buffer, start: number, end: number): number {
  const value =
    end - start === 8 ? file.readDoubleBE(start) : end - start === 4 ? file.readFloatBE(start) : 0;
  return value > 0 && value < Infinity ? value : 0;
}

function addBlock(reading: Reading, start: number, end: number): void {
  const { file } = reading;
  const numberBytes = lengthOf(file[start] ?? 0);
  const at = start + numberBytes;
  if (at + 4 > end) return;
  const number = sizeOf(file, start, numberBytes);
  const track = reading.tracks.find((each) => each.number === number);
  if (track?.isSound !== true) return;
  const ticks = reading.clusterTicks + file.readInt16BE(at);
  reading.lastTicks = Math.max(reading.lastTicks, ticks);
  reading.bytes += end - at;
  if (!track.isOpus) return;
  // Several packets in one block, as nobody writes speech: how many stands before them.
  const lacing = ((file[at + 2] ?? 0) >>> 1) & 3;
  const packets = (file[at + 3] ?? 0) + 1;
  reading.opusSeconds +=
    lacing === 0 ? opusSeconds(file, at + 3) : packets * OPUS_PACKET_SECONDS_MAX;
}

function secondsOf(reading: Reading): number | undefined {
  const { nanosPerTick, duration, lastTicks, bytes } = reading;
  const told = (Math.max(duration, lastTicks) * nanosPerTick) / NANOS_PER_SECOND;
  const isTrue = bytes > 0 && mayLast(bytes, told);
  const seconds = Math.max(isTrue ? told : 0, reading.opusSeconds);
  return seconds > 0 ? seconds : undefined;
}
