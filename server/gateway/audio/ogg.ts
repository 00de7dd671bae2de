import { latin1 } from "../../core/bytes.js";
import { opusSeconds } from "./opus.js";
import type { Steps } from "./steps.js";

const PAGE = Buffer.from("OggS");
const PAGE_HEAD_BYTES = 27;
/** Files have one or two; one after the other a few more. */
const STREAMS_MAX = 64;
/** Of what Vorbis packets may hold at most, most files hold more than this part. */
const VORBIS_SHARE_MIN = 1 / 4;

/** One stream of sound inside a file. */
interface Sound {
  readonly codec: "OPUS" | "VORBIS";
  /** Samples a second, of Vorbis. */
  readonly rate: number;
  /** Seconds that a packet of Vorbis may hold at most. */
  readonly packetSeconds: number;
  /** Packets that hold no sound and are still to come. */
  heads: number;
  /** What its packets hold, Vorbis' at most. */
  seconds: number;
  /** Samples up to the end of the last page, as told. */
  granule: number;
}

/**
 * Seconds of Opus and Vorbis in Ogg. Opus: the sum of its packets, which each say how long they are. Vorbis: what the
 * last page tells, as far as it can be true of so many packets. Each page counts wherever one is found, also behind
 * something else or inside another, for players look for the next one too.
 */
export function oggSeconds(file: Buffer, start: number, steps: Steps): number | undefined {
  const sounds = new Map<number, Sound>();
  for (let at = start; at >= 0; at = file.indexOf(PAGE, at + PAGE_HEAD_BYTES)) {
    if (at + PAGE_HEAD_BYTES > file.length) break;
    if (!steps.take(8)) return undefined;
    const serial = file.readUInt32LE(at + 14);
    const isFirst = ((file[at + 5] ?? 0) & 2) !== 0;
    const begun = sounds.get(serial) ?? (isFirst ? soundAt(file, payloadOf(file, at)) : undefined);
    if (begun === undefined) continue;
    sounds.set(serial, begun);
    if (sounds.size > STREAMS_MAX || !addPage(begun, file, at, steps)) return undefined;
  }
  let seconds = 0;
  for (const sound of sounds.values()) seconds += secondsOf(sound);
  return seconds > 0 ? seconds : undefined;
}

function payloadOf(file: Buffer, page: number): number {
  return page + PAGE_HEAD_BYTES + (file[page + 26] ?? 0);
}

/** Undefined where no sound begins that is known here. */
function soundAt(file: Buffer, at: number): Sound | undefined {
  const rest = { seconds: 0, granule: 0 };
  if (latin1(file, at, at + 8) === "OpusHead")
    return { codec: "OPUS", rate: 0, packetSeconds: 0, heads: 2, ...rest };
  if (latin1(file, at, at + 7) !== "\x01vorbis" || at + 30 > file.length) return undefined;
  const rate = file.readUInt32LE(at + 12);
  // Half a block, of the larger of two sizes.
  const packetSeconds = 2 ** ((file[at + 28] ?? 0) >>> 4) / 2 / Math.max(1, rate);
  return { codec: "VORBIS", rate, packetSeconds, heads: 3, ...rest };
}

/** Adds the packets that begin in a page; false when there were too many. */
function addPage(sound: Sound, file: Buffer, page: number, steps: Steps): boolean {
  const table = page + PAGE_HEAD_BYTES;
  let at = payloadOf(file, page);
  // Its first bit says that a packet goes on that has begun before.
  let begins = ((file[page + 5] ?? 0) & 1) === 0;
  for (let each = table; each < table + (file[page + 26] ?? 0); each++) {
    if (!steps.take()) return false;
    const bytes = file[each] ?? 0;
    if (begins && bytes > 0) addPacket(sound, file, at);
    begins = bytes < 255;
    at += bytes;
  }
  const high = file.readUInt32LE(page + 10);
  if (high < 0x80000000) {
    sound.granule = Math.max(sound.granule, high * 2 ** 32 + file.readUInt32LE(page + 6));
  }
  return true;
}

function addPacket(sound: Sound, file: Buffer, at: number): void {
  if (sound.heads > 0) sound.heads--;
  else sound.seconds += sound.codec === "OPUS" ? opusSeconds(file, at) : sound.packetSeconds;
}

function secondsOf(sound: Sound): number {
  const most = sound.seconds;
  if (sound.codec === "OPUS") return most;
  const told = sound.granule / Math.max(1, sound.rate);
  return told < most && told > most * VORBIS_SHARE_MIN ? told : most;
}
