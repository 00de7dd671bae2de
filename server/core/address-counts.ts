import { addressBlock } from "./ip.js";

/** Addresses whose count has fallen to zero are kept up to here: most come back. */
const ADDRESSES_KEPT = 8_192;

/** How much each address holds at a time, up to a maximum; an IPv6 caller has a whole /64 and counts as one. */
export class AddressCounts {
  readonly #max: number;
  readonly #counts = new Map<string, number>();
  #sweepAt = ADDRESSES_KEPT;

  constructor(max: number) {
    this.#max = max;
  }

  /** Counts one more; false when the address has all that it may. Each true needs one `leave`. */
  enter(ip: string): boolean {
    const block = addressBlock(ip);
    const count = this.#counts.get(block) ?? 0;
    if (count >= this.#max) return false;
    if (this.#counts.size >= this.#sweepAt) this.#sweep();
    this.#counts.set(block, count + 1);
    return true;
  }

  leave(ip: string): void {
    const block = addressBlock(ip);
    const count = this.#counts.get(block);
    if (count !== undefined) this.#counts.set(block, count - 1);
  }

  #sweep(): void {
    for (const [block, count] of this.#counts) {
      if (count === 0) this.#counts.delete(block);
    }
    this.#sweepAt = Math.max(ADDRESSES_KEPT, this.#counts.size * 2);
  }
}
