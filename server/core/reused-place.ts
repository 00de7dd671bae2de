import { copyInto } from "./bytes.js";

/** As much as is read at once of a connection to a provider. */
const PLACE_BYTES = 32 * 1024;

/**
 * Where the long pieces of one stream are put, one after the other. Fresh places would stay in memory until V8 next
 * collects garbage, and of such garbage it lets tens of megabytes come together. Whoever has a place sees to it that
 * nobody uses what was put there before. It is never handed on to another stream.
 */
export class ReusedPlace {
  #bytes: Buffer | undefined;

  /** A copy of the bytes in the place of those before; of more than there is room for, a copy of its own. */
  put(bytes: Buffer): Buffer {
    if (bytes.length > PLACE_BYTES) return Buffer.from(bytes);
    const place = (this.#bytes ??= Buffer.allocUnsafeSlow(PLACE_BYTES));
    copyInto(place, 0, bytes);
    return place.subarray(0, bytes.length);
  }

  /** What was put there last stays as it is, for it may be kept: the next goes elsewhere. */
  leave(): void {
    this.#bytes = undefined;
  }
}
