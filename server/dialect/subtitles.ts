import { latin1 } from "../core/bytes.js";

/** Longer than a line with two times. */
const LINE_BYTES_MAX = 128;
/** Lines that are looked at; what is said may look like one. */
const TRIES_MAX = 8;
/** When a passage begins and ends, as in SRT and WebVTT, which leaves hours out. */
const TIMES =
  /^(?:\d{1,4}:)?\d\d:\d\d[.,]\d{3}[ \t]+-->[ \t]+(?:(\d{1,4}):)?(\d\d):(\d\d)[.,](\d{3})[ \t]*(?:[ \t]\S.*)?$/;

/** Seconds up to the end of the last passage of subtitles, from the end of their text; undefined for other texts. */
export function subtitlesEnd(tail: Buffer): number | undefined {
  let from = tail.length;
  for (let tries = 0; tries < TRIES_MAX && from > 0; tries++) {
    from = tail.lastIndexOf("-->", from - 1, "latin1");
    if (from < 0) return undefined;
    const near = latin1(tail, Math.max(0, from - LINE_BYTES_MAX), from + LINE_BYTES_MAX);
    const arrow = Math.min(from, LINE_BYTES_MAX);
    const start = Math.max(near.lastIndexOf("\n", arrow), near.lastIndexOf("\r", arrow)) + 1;
    const [, hours, minutes, seconds, millis] =
      TIMES.exec(/^[^\r\n]*/.exec(near.slice(start))?.[0] ?? "") ?? [];
    if (minutes === undefined) continue;
    const whole = Number(hours ?? 0) * 3_600 + Number(minutes) * 60 + Number(seconds);
    return whole + Number(millis) / 1_000;
  }
  return undefined;
}
