import { copyInto } from "./bytes.js";

/** As much as is read at once of a connection to a provider, behind the begin of an event that came with the read before. */
const PLACE_BYTES = 36 * 1024;
const NOTHING = Buffer.alloc(0);

/**
 * Where the long pieces of one stream are put, one after the other. Fresh places would stay in memory until V8 next
 * collects garbage, and of such garbage it lets tens of megabytes come together. Whoever has a place sees to it that
 * nobody uses what was put there before. It is never handed on to another stream.
 */
export class ReusedPlace {
  #bytes: Buffer | undefined;

  /** A copy of the bytes, behind `begin`, in the place of those before; of more than there is room for, one of its own. */
  put(bytes: Buffer, begin: Buffer = NOTHING): Buffer {
    const length = begin.length + bytes.length;
    if (length > PLACE_BYTES) return Buffer.concat([begin, bytes]);
    const place = (this.#bytes ??= Buffer.allocUnsafeSlow(PLACE_BYTES));
    copyInto(place, 0, begin);
    copyInto(place, begin.length, bytes);
    return place.subarray(0, length);
  }

  /** What was put there last stays as it is, for it may be kept: the next goes elsewhere. */
  leave(): void {
    this.#bytes = undefined;
  }
}
