import { randomBytes } from "node:crypto";

/** The only source of randomness, so that tests can replay it. */
export interface Random {
  /** `count` bytes fit for keys. */
  bytes(count: number): Uint8Array;
}

/** The operating system's cryptographic generator. */
export const systemRandom: Random = { bytes: (count) => randomBytes(count) };
