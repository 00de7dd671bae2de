import { latin1 } from "../../core/bytes.js";
import { flacSeconds } from "./flac.js";
import { beginsFrame, mp3Seconds } from "./mp3.js";
import { mp4Seconds } from "./mp4.js";
import { oggSeconds } from "./ogg.js";
import { Steps } from "./steps.js";
import { waveSeconds } from "./wave.js";
import { webmSeconds } from "./webm.js";

/**
 * How many seconds of sound a file holds; undefined where it cannot be read, or says what cannot be true. Frames and
 * packets are counted wherever they tell how long they are: a head may lie, and a player plays what is there.
 */
export function audioSeconds(file: Buffer, steps = new Steps(file.length)): number | undefined {
  try {
    const start = tagsEnd(file, steps);
    return reader(file, start)?.(file, start, steps);
  } catch (thrown) {
    // It ends inside of something.
    if (thrown instanceof RangeError) return undefined;
    throw thrown;
  }
}

type Reader = (file: Buffer, start: number, steps: Steps) => number | undefined;

function reader(file: Buffer, start: number): Reader | undefined {
  const begin = latin1(file, start, Math.min(start + 12, file.length));
  if (/^R(?:IFF|F64)....WAVE/s.test(begin)) return waveSeconds;
  if (begin.startsWith("fLaC")) return flacSeconds;
  if (begin.startsWith("OggS")) return oggSeconds;
  if (begin.startsWith("\x1a\x45\xdf\xa3")) return webmSeconds;
  if (/^....(?:ftyp|moov)/s.test(begin)) return mp4Seconds;
  return begin.length >= 4 && beginsFrame(file.readUInt32BE(start)) ? mp3Seconds : undefined;
}

/** Behind the tags that a file may begin with, with titles and pictures. */
function tagsEnd(file: Buffer, steps: Steps): number {
  let at = 0;
  while (latin1(file, at, Math.min(at + 3, file.length)) === "ID3" && steps.take(8)) {
    let bytes = 0;
    for (let each = at + 6; each < at + 10; each++) bytes = bytes * 128 + ((file[each] ?? 0) & 127);
    const hasFooter = ((file[at + 5] ?? 0) & 0x10) !== 0;
    at = Math.min(at + 10 + bytes + (hasFooter ? 10 : 0), file.length);
  }
  return at;
}
