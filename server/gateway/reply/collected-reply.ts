import { Fault } from "../../core/fault.js";
import type { Holder } from "../../core/client-key.js";
import type { FairRoom } from "../../core/fair-room.js";
import { Pieces } from "../../core/pieces.js";
import { mayTakePassable, mayTakePiece } from "../request/body-room.js";
import { type Expected, isPassable } from "./expected-reply.js";
import type { ReplyHead } from "./reply-head.js";

const NO_BYTES = Buffer.alloc(0);
const NO_PIECES: readonly Buffer[] = [];
/** So much of each is not counted, which most do not exceed. */
const UNCOUNTED_BYTES = 16 * 1024;

/** A reply that is collected before it goes on. It takes of the room for bodies until it is let go. */
export class CollectedReply {
  readonly head: ReplyHead;
  readonly #room: FairRoom;
  readonly #holder: Holder;
  readonly #mayTake: typeof mayTakePiece;
  #pieces: Pieces | undefined;
  #countedBytes = 0;

  constructor(head: ReplyHead, room: FairRoom, holder: Holder, expected: Expected) {
    this.head = head;
    this.#room = room;
    this.#holder = holder;
    this.#mayTake = isPassable(head, expected) ? mayTakePassable : mayTakePiece;
  }

  /** It says why the provider does not serve the call. */
  get isRefusal(): boolean {
    return this.head.httpStatus >= 400;
  }

  get bytes(): number {
    return this.#pieces?.bytes ?? 0;
  }

  /** Adds a piece; false when there is no room for it, and no more may be collected. `lent`: it is there during this call only. */
  push(piece: Buffer, lent: boolean): boolean {
    // Not earlier: of a body that is unpacked first, the head says another length.
    const pieces = (this.#pieces ??= new Pieces(this.head.contentLength));
    if (lent) pieces.copy(piece);
    else pieces.push(piece);
    if (pieces.bytes <= UNCOUNTED_BYTES) return true;
    const bodyBytes = Math.max(pieces.bytes, this.head.contentLength ?? 0);
    if (!this.#mayTake(this.#room, this.#holder, piece.length, bodyBytes)) return false;
    this.#countedBytes += piece.length;
    return true;
  }

  whole(): Buffer {
    return this.#pieces?.whole() ?? NO_BYTES;
  }

  /** All of it in pieces, and lets it go. */
  take(): readonly Buffer[] {
    const pieces = this.#pieces?.take() ?? NO_PIECES;
    this.clear();
    return pieces;
  }

  clear(): void {
    this.#pieces?.clear();
    this.#room.give(this.#holder, this.#countedBytes);
    this.#countedBytes = 0;
  }
}

/** The end of a call whose reply cannot be given to its caller. */
export function tooLargeToTranslate(): Fault {
  return new Fault(
    "upstream_error",
    "The provider's reply is too large to be translated. Ask for less at a time, or with an SDK of the model's own dialect.",
  );
}
