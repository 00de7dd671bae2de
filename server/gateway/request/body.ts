import type { BodySink } from "../../caller/turn.js";
import type { Holder } from "../../core/client-key.js";
import type { FairRoom } from "../../core/fair-room.js";
import { Fault } from "../../core/fault.js";
import { Pieces } from "../../core/pieces.js";
import { mayTakePiece } from "./body-room.js";

const EMPTY = Buffer.alloc(0);

export interface BodyOptions {
  readonly room: FairRoom;
  readonly holder: Holder;
  readonly bytesMax: number;
  /** As the head says; -1 where it does not. */
  readonly contentLength: number;
}

/**
 * Reads a body whole. Calls `done` once, unless the caller leaves first. What is held takes of the
 * room for bodies until `release`.
 */
export class BodyReader implements BodySink {
  readonly #room: FairRoom;
  readonly #holder: Holder;
  readonly #bytesMax: number;
  readonly #contentLength: number;
  readonly #done: (fault: Fault | undefined, body: Buffer) => void;
  readonly #pieces: Pieces;
  #bytes = 0;
  #over = false;

  constructor(options: BodyOptions, done: (fault: Fault | undefined, body: Buffer) => void) {
    this.#room = options.room;
    this.#holder = options.holder;
    this.#bytesMax = options.bytesMax;
    this.#contentLength = options.contentLength;
    this.#pieces = new Pieces(Math.max(0, options.contentLength), options.bytesMax);
    this.#done = done;
  }

  /** Bytes read so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Lets the body go and gives back the room that it takes. */
  release(): void {
    this.#over = true;
    this.#room.give(this.#holder, this.#pieces.bytes);
    this.#pieces.clear();
  }

  onBody(chunk: Buffer, own: boolean): void {
    if (this.#over) return;
    const bytes = this.#pieces.bytes + chunk.length;
    if (bytes > this.#bytesMax) {
      this.#finish(tooLarge(this.#bytesMax));
      return;
    }
    const bodyBytes = Math.max(bytes, this.#contentLength);
    if (!mayTakePiece(this.#room, this.#holder, chunk.length, bodyBytes)) {
      this.#finish(noRoom());
      return;
    }
    if (own) this.#pieces.push(chunk);
    else this.#pieces.copy(chunk);
    this.#bytes += chunk.length;
  }

  onBodyEnd(): void {
    this.#finish(undefined);
  }

  #finish(fault: Fault | undefined): void {
    if (this.#over) return;
    this.#over = true;
    // At once, so that of many that come together some find room.
    if (fault !== undefined) this.release();
    this.#done(fault, fault === undefined ? this.#pieces.whole() : EMPTY);
  }
}

/** The refusal of a body that there is no room for. */
export function noRoom(): Fault {
  return new Fault("overloaded", "Too many large bodies are under way; try again shortly.", {
    retryAfterSeconds: 1,
  });
}

/** The refusal of a body over the limit. */
export function tooLarge(bytesMax: number): Fault {
  const mebibytes = Math.floor(bytesMax / (1024 * 1024));
  return new Fault("body_too_large", `The request body is larger than ${String(mebibytes)} MiB.`);
}
