import type { Holder } from "../../core/client-key.js";
import { Fault } from "../../core/fault.js";
import { heaviestKey } from "../../core/heaviest.js";

/** A stream of which something is held in memory. */
export interface HeldStream {
  /** Whose it is, once that is known. */
  readonly holder: Holder | undefined;
  /** Ends it, telling its caller why. */
  giveUp(): void;
}

/**
 * Bytes held of all streams together. Each stream may hold some, such as an event that has not come to its end, and a
 * malicious provider can make it hold as much as it may, for as long as it likes. Beyond a bound, the user whose streams
 * hold most loses one: of the client key that holds most, the largest. What one user's providers send must not take the
 * room of others.
 */
export class StreamRoom {
  readonly #bytesMax: number;
  readonly #streams = new Map<HeldStream, number>();
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** A stream holds so many bytes now, instead of what was said before. */
  set(stream: HeldStream, bytes: number): void {
    this.delete(stream);
    if (bytes === 0) return;
    this.#streams.set(stream, bytes);
    this.#bytes += bytes;
    while (this.#bytes > this.#bytesMax) {
      const largest = this.#largest();
      if (largest === undefined) return;
      this.delete(largest);
      largest.giveUp();
    }
  }

  /** It has ended. */
  delete(stream: HeldStream): void {
    const bytes = this.#streams.get(stream);
    if (bytes === undefined) return;
    this.#streams.delete(stream);
    this.#bytes -= bytes;
  }

  #largest(): HeldStream | undefined {
    const keyId = heaviestKey(this.#streams, ({ holder }) => holder);
    let largest: HeldStream | undefined;
    let most = 0;
    for (const [stream, bytes] of this.#streams) {
      if (bytes <= most || stream.holder?.clientKey.id !== keyId) continue;
      largest = stream;
      most = bytes;
    }
    return largest;
  }
}

/** What its caller is told. */
export function heldTooMuch(): Fault {
  const cause = "Too much is held of the streams that are under way, and most of it of this one.";
  return new Fault("overloaded", `${cause} Try again shortly.`, { retryAfterSeconds: 1 });
}
