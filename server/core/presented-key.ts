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

export function presentedKey(text: string): PresentedKey {
  return { text, digest: text.length > KEY_CHARS_MAX ? "" : hash("sha256", text, "base64") };
}

/**
 * The key that a connection's last request presented: nearly always the next one presents it again, and to compare
 * two texts costs a tenth of a hash.
 */
export class LastKey {
  #last: PresentedKey | undefined;

  of(text: string): PresentedKey {
    if (text === this.#last?.text) return this.#last;
    const key = presentedKey(detached(text));
    if (key.digest !== "") this.#last = key;
    return key;
  }
}
