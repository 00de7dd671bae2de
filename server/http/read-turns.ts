/** So many full reads of one socket follow each other; then all others have their turn. */
const FULL_READS_MAX = 8;

/** What is read in turns. */
export interface ReadSocket {
  readonly destroyed: boolean;
  isPaused(): boolean;
  resume(): unknown;
}

/**
 * Sees to it that no socket is read for long while others wait. Of one that always has more to read Node takes 32 reads
 * before it looks at the next: two megabytes, and with hundreds of large replies or uploads under way at once a small
 * call would wait until all of them had theirs.
 */
export class ReadTurns {
  readonly #readBytes: number;
  #fullReads = 0;

  /** `readBytes`: how much is read at once. */
  constructor(readBytes: number) {
    this.#readBytes = readBytes;
  }

  /** After a read of `length` bytes: whether the socket may be read on at once. If not, it is in the next turn of the loop. */
  goesOn(socket: ReadSocket, length: number): boolean {
    // Less than was asked for is all that there is.
    this.#fullReads = length < this.#readBytes ? 0 : this.#fullReads + 1;
    if (this.#fullReads < FULL_READS_MAX) return true;
    this.#fullReads = 0;
    setImmediate(readOn, socket);
    return false;
  }
}

/** Unless somebody has stopped it meanwhile. */
function readOn(socket: ReadSocket): void {
  if (!socket.isPaused() && !socket.destroyed) socket.resume();
}
