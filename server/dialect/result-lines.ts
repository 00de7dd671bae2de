const LINE_FEED = 0x0a;
const NO_BYTES = Buffer.alloc(0);

/** Cuts what comes in pieces into lines, and holds no more than the one that has not come to its end. */
export class ResultLines {
  readonly #bytesMax: number;
  readonly #onLine: (line: Buffer | undefined) => void;
  #held: Buffer[] = [];
  #heldBytes = 0;

  /** `onLine` hears of each line that is not empty; undefined for one that is longer than `bytesMax`. */
  constructor(bytesMax: number, onLine: (line: Buffer | undefined) => void) {
    this.#bytesMax = bytesMax;
    this.#onLine = onLine;
  }

  push(piece: Buffer): void {
    let from = 0;
    for (;;) {
      const end = piece.indexOf(LINE_FEED, from);
      this.#hold(piece.subarray(from, end < 0 ? piece.length : end));
      if (end < 0) return;
      this.#take();
      from = end + 1;
    }
  }

  /** The last line has no end of its own. */
  end(): void {
    this.#take();
  }

  #hold(part: Buffer): void {
    this.#heldBytes += part.length;
    if (part.length === 0) return;
    if (this.#heldBytes <= this.#bytesMax) this.#held.push(part);
    else this.#held = [];
  }

  #take(): void {
    const [first = NO_BYTES, ...others] = this.#held;
    const line = others.length === 0 ? first : Buffer.concat(this.#held);
    const isTooLong = this.#heldBytes > this.#bytesMax;
    this.#held = [];
    this.#heldBytes = 0;
    if (isTooLong) this.#onLine(undefined);
    else if (!isBlank(line)) this.#onLine(line);
  }
}

function isBlank(line: Buffer): boolean {
  return line.length < 4 && line.every((byte) => byte <= 0x20);
}
