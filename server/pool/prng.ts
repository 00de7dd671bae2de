import type { Random } from "../core/random.js";

/**
 * A fast generator for spreading load (xorshift, 32 bits), seeded once from the injected source. It decides
 * which keys are compared and nothing that has to be unpredictable; asking the operating system for each
 * lease would cost more than the lease.
 */
export class Prng {
  #state: number;

  constructor(random: Random) {
    const seed = random.bytes(4);
    const value = new DataView(seed.buffer, seed.byteOffset, 4).getUint32(0);
    // Zero is the one state that xorshift never leaves.
    this.#state = value === 0 ? 0x9e3779b9 : value;
  }

  /** A whole number from 0 up to but not including `limit`. */
  below(limit: number): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x;
    return (x >>> 0) % limit;
  }
}
