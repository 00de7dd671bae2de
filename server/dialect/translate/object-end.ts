const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

/**
 * Follows a JSON object that comes in pieces by its brackets alone, so that each piece is looked at but once, to know
 * where it may have come to its end. Whether it is JSON is for a parser to say, then.
 */
export class ObjectEnd {
  #depth = 0;
  #inString = false;
  #isEscaped = false;
  #isBegun = false;
  /** The outermost brace was closed, and nothing but blanks came after it. */
  reached = false;
  /** No object comes to its end here any more. */
  #isLost = false;

  push(piece: string): void {
    for (let at = 0; at < piece.length && !this.#isLost; at++) {
      const code = piece.charCodeAt(at);
      if (this.#inString) this.#string(code);
      else if (!isBlank(code)) this.#structure(code);
    }
  }

  #string(code: number): void {
    if (this.#isEscaped) this.#isEscaped = false;
    else if (code === BACKSLASH) this.#isEscaped = true;
    else if (code === QUOTE) this.#inString = false;
  }

  #structure(code: number): void {
    if (this.reached || (!this.#isBegun && code !== OPEN_BRACE)) {
      this.reached = false;
      this.#isLost = true;
      return;
    }
    this.#isBegun = true;
    if (code === QUOTE) this.#inString = true;
    else if (code === OPEN_BRACE || code === OPEN_BRACKET) this.#depth++;
    else if (code === CLOSE_BRACE || code === CLOSE_BRACKET) {
      this.#depth--;
      this.reached = this.#depth === 0;
    }
  }
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;
}
