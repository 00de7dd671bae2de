/** Longer texts are not kept. */
export const TEXT_CHARS_MAX = 64;
/** When there are this many, some hundred kilobytes, all are forgotten; those in use are soon made again. */
const TEXTS_MAX = 2000;

/** The JSON, with a comma behind it, of texts that come again and again, such as ids of keys and names of models. */
export class JsonTexts {
  readonly #bytes = new Map<string, Uint8Array>();

  /** The bytes for a text of at most `TEXT_CHARS_MAX` characters, in UTF-8. */
  bytesOf(text: string): Uint8Array {
    return this.#bytes.get(text) ?? this.#add(text);
  }

  #add(text: string): Uint8Array {
    const json = JSON.stringify(text);
    const bytes = new Uint8Array(Buffer.from(`${json},`));
    if (this.#bytes.size >= TEXTS_MAX) this.#bytes.clear();
    // A copy, since the text may be a piece of a large one, which it would keep alive.
    this.#bytes.set(JSON.parse(json) as string, bytes);
    return bytes;
  }
}
