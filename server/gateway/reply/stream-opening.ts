import { Pieces } from "../../core/pieces.js";
import type { Opening, StreamWatch } from "../../dialect/codec.js";

/**
 * The first events of a stream. They are held until they say something, be it that the call failed or a beginning of
 * the reply: as long as nothing has gone to the caller, another key may still serve the call.
 */
export class StreamOpening {
  readonly #watch: StreamWatch;
  readonly #held = new Pieces();
  #says: Opening = "NOTHING";
  #isHolding = true;

  constructor(watch: StreamWatch) {
    this.#watch = watch;
  }

  /** What the stream has said so far; whatever follows does not change that once it is something. */
  get says(): Opening {
    return this.#says;
  }

  /** False once anything has gone on, after which all goes on. */
  get isHolding(): boolean {
    return this.#isHolding;
  }

  get heldBytes(): number {
    return this.#held.bytes;
  }

  /** Takes the next events while it holds; true if they have said something, so that `release` is due. */
  hold(events: Buffer): boolean {
    this.#held.push(events);
    this.look(events);
    return this.#says !== "NOTHING";
  }

  /** Looks at the next events, which go on. They may be the first that say something: the head may have gone before. */
  look(events: Buffer): void {
    if (this.#says === "NOTHING") this.#says = this.#watch.opening(events);
  }

  /** Holds no more; answers what was held, undefined for nothing. */
  release(): Buffer | undefined {
    this.#isHolding = false;
    if (this.#held.bytes === 0) return undefined;
    const held = this.#held.whole();
    this.#held.clear();
    return held;
  }
}
