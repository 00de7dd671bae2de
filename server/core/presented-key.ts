import { hash } from "node:crypto";
import { detached } from "./bytes.js";

/** No form of key is longer; a longer text is not worth a hash. */
const KEY_CHARS_MAX = 256;

/** What a caller presents as its key. */
export interface PresentedKey {
  readonly text: string;
  /** SHA-256 in base64; empty for a text that is too long to be a key. */
  readonly digest: string;
}

/** Hashes what a caller presents. */
export function presentedKey(text: string): PresentedKey {
  return { text, digest: text.length > KEY_CHARS_MAX ? "" : hash("sha256", text, "base64") };
}

/**
 * The key that a connection's last request presented. The next request nearly always presents the same one, and
 * comparing two texts costs a tenth of a hash.
 */
export class LastKey {
  #last: PresentedKey | undefined;

  /** The presented key with its digest, which is made anew only for another text. */
  of(text: string): PresentedKey {
    if (text === this.#last?.text) return this.#last;
    const key = presentedKey(detached(text));
    if (key.digest !== "") this.#last = key;
    return key;
  }
}
