import { isAscii } from "node:buffer";
import { indexOfByte, latin1, utf8 } from "../../core/bytes.js";
import { stringEnd } from "../json-steps.js";

/** A shorter request is translated sooner than it is searched. */
const SEARCHED_BYTES_MIN = 64 * 1024;
/** A shorter string is parsed and written again with all others. */
const HELD_BYTES_MIN = 16 * 1024;
/** Of a `data:` URL, with what shows that it holds a medium. */
const BEGIN_BYTES = 256;
/** How an image, a document or a sound begins in base64. A text that anybody would look into begins with none of these. */
const BEGIN =
  /^(?:data:[^",]{0,128};base64,)?(?:iVBORw0KGgo|\/9j\/|R0lGOD|UklGR|JVBERi0|SUQz|T2dnUw|ZkxhQw)/;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const NOTHING = Buffer.alloc(0);

/**
 * A request without the media that it holds in base64: in place of each stands a short mark, and what is made of the
 * request gets the bytes back as they came. Whatever parses or writes such a request passes over megabytes that it would
 * change nothing of. Base64 is written alike wherever it stands in JSON, a text that holds JSON itself included.
 */
export class HeldMedia {
  /** The request with its marks. */
  readonly text: string;
  readonly #media: readonly Buffer[];
  readonly #mark: RegExp;

  private constructor(text: string, media: readonly Buffer[], mark: RegExp) {
    this.text = text;
    this.#media = media;
    this.#mark = mark;
  }

  /** Undefined for a request that holds none. `id`: of the call, which nobody can have written into its request. */
  static of(body: Buffer, id: string): HeldMedia | undefined {
    if (body.length < SEARCHED_BYTES_MIN) return undefined;
    const media: Buffer[] = [];
    let text = "";
    let copied = 0;
    for (let at = indexOfByte(body, QUOTE, 0); at >= 0;) {
      const end = stringEnd(body, at, body.length);
      if (end < 0) break;
      const begins = end - at < HELD_BYTES_MIN ? -1 : mediumIn(body, at + 1, end - 1);
      if (begins >= 0) {
        text += utf8(body, copied, begins) + markOf(id, String(media.length));
        media.push(body.subarray(begins, end - 1));
        copied = end - 1;
      }
      at = indexOfByte(body, QUOTE, end);
    }
    if (media.length === 0) return undefined;
    return new HeldMedia(text + utf8(body, copied), media, new RegExp(markOf(id, "(\\d+)"), "g"));
  }

  /** What was made of the request, with its media. Undefined where one of them is missing: something has looked into it, or left it out. */
  putBack(made: string): Buffer | undefined {
    const { bytes, places } = this.#restored(made);
    return places < this.#media.length ? undefined : bytes;
  }

  /** A part of the request, with its media. */
  part(text: string): Buffer {
    return this.#restored(text).bytes;
  }

  /** `places`: how many of the media stand in it. */
  #restored(made: string): { bytes: Buffer; places: number } {
    const pieces: Buffer[] = [];
    const seen = new Set<string>();
    let from = 0;
    for (const { 0: mark, 1: place = "", index } of made.matchAll(this.#mark)) {
      pieces.push(Buffer.from(made.slice(from, index)), this.#medium(place));
      seen.add(place);
      from = index + mark.length;
    }
    pieces.push(Buffer.from(made.slice(from)));
    return { bytes: Buffer.concat(pieces), places: seen.size };
  }

  #medium(place: string): Buffer {
    return this.#media[Number(place)] ?? NOTHING;
  }
}

/** As it stands in JSON, and in a pattern. */
function markOf(id: string, place: string): string {
  return `~held:${id}:${place}~`;
}

/** Where what is held of a medium begins, behind what others look at; -1 where a string is none. */
function mediumIn(body: Buffer, start: number, end: number): number {
  const [begin] = BEGIN.exec(latin1(body, start, start + BEGIN_BYTES)) ?? [];
  if (begin === undefined) return -1;
  const from = start + begin.length;
  return isPlain(body.subarray(from, end)) ? from : -1;
}

/** True for what stands in JSON as it is, at least. What else base64 does not have is for the provider to refuse. */
function isPlain(medium: Buffer): boolean {
  return isAscii(medium) && indexOfByte(medium, BACKSLASH, 0) < 0;
}
