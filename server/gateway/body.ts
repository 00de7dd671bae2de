import type { BodySink } from "../caller/turn.js";
import { Fault } from "../core/fault.js";
import { Pieces } from "../core/pieces.js";

/**
 * Bytes of bodies held now, over all calls: uploads and replies must not take all memory. A client key may hold as much
 * as is left free, so that there is room for others whatever it sends.
 */
export class BodyBudget {
  readonly #bytesMax: number;
  readonly #byHolder = new Map<string, number>();
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Throws Fault `overloaded` when there is no room. `holder`: id of the client key. */
  take(holder: string, bytes: number): void {
    if (!this.mayTake(holder, bytes)) throw noRoom();
  }

  /** Takes them if there is room. */
  mayTake(holder: string, bytes: number): boolean {
    const held = (this.#byHolder.get(holder) ?? 0) + bytes;
    if (held > this.#bytesMax - this.#bytes) return false;
    this.#byHolder.set(holder, held);
    this.#bytes += bytes;
    return true;
  }

  give(holder: string, bytes: number): void {
    if (bytes === 0) return;
    const held = (this.#byHolder.get(holder) ?? 0) - bytes;
    if (held > 0) this.#byHolder.set(holder, held);
    else this.#byHolder.delete(holder);
    this.#bytes -= bytes;
  }
}

const EMPTY = Buffer.alloc(0);

/**
 * Reads a body whole. Calls `done` once, unless the caller leaves first. What is held is counted in the
 * budget until `release`.
 */
export class BodyReader implements BodySink {
  readonly #budget: BodyBudget;
  readonly #holder: string;
  readonly #bytesMax: number;
  readonly #done: (fault: Fault | undefined, body: Buffer) => void;
  readonly #pieces = new Pieces();
  #bytes = 0;
  #over = false;

  constructor(
    options: { budget: BodyBudget; holder: string; bytesMax: number },
    done: (fault: Fault | undefined, body: Buffer) => void,
  ) {
    this.#budget = options.budget;
    this.#holder = options.holder;
    this.#bytesMax = options.bytesMax;
    this.#done = done;
  }

  /** Bytes read so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Lets the body go and gives back what the budget holds for it. */
  release(): void {
    this.#over = true;
    this.#budget.give(this.#holder, this.#pieces.bytes);
    this.#pieces.clear();
  }

  onBody(chunk: Buffer): void {
    if (this.#over) return;
    if (this.#pieces.bytes + chunk.length > this.#bytesMax) {
      this.#finish(tooLarge(this.#bytesMax));
      return;
    }
    try {
      this.#budget.take(this.#holder, chunk.length);
    } catch (fault) {
      this.#finish(fault instanceof Fault ? fault : tooLarge(this.#bytesMax));
      return;
    }
    this.#pieces.push(chunk);
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

/** The refusal of a body that the budget has no room for. */
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
