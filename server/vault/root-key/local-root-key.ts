import { createHash } from "node:crypto";
import { Fault } from "../../core/fault.js";
import type { Random } from "../../core/random.js";
import { canonical, wipe } from "../bytes.js";
import { AEAD_NONCE_BYTES, type Sodium } from "../sodium.js";
import type { NewRootKey, RootKey, RootKeyExpectation } from "./provider.js";

const NO_HEADER = new Uint8Array(0);
const ID_HEX_DIGITS = 16;

/** What every provider of a local root key is made with. */
export interface LocalRootKeyTools {
  readonly sodium: Sodium;
  readonly random: Random;
}

/** A root key whose bytes are in this process; it owns `bytes` and wipes them. */
export function createLocalRootKey(
  tools: LocalRootKeyTools,
  bytes: Uint8Array,
  header: Uint8Array = NO_HEADER,
): RootKey {
  const { sodium, random } = tools;
  return {
    id: rootKeyId(bytes),
    header,
    wrap(key, context) {
      const nonce = random.bytes(AEAD_NONCE_BYTES);
      const box = sodium.encrypt(key, { key: bytes, nonce, associated: context });
      return Promise.resolve(Buffer.concat([nonce, box]));
    },
    unwrap(wrapped, context) {
      if (wrapped.length < AEAD_NONCE_BYTES) return Promise.resolve(undefined);
      const nonce = wrapped.subarray(0, AEAD_NONCE_BYTES);
      const box = wrapped.subarray(AEAD_NONCE_BYTES);
      return Promise.resolve(sodium.decrypt(box, { key: bytes, nonce, associated: context }));
    },
    wipe: () => wipe(bytes),
  };
}

/** A one-way name of a root key: it says whether two are the same and nothing else. */
function rootKeyId(bytes: Uint8Array): string {
  const named = canonical("latchkey/root-key-id/v1", [bytes]);
  const digest = createHash("sha256").update(named).digest("hex");
  wipe(named);
  return `rk_${digest.slice(0, ID_HEX_DIGITS)}`;
}

/** Hands the key on if it is the expected one; otherwise wipes it and throws Fault `root_key_wrong`. */
export function expectRootKey(key: RootKey, expected: RootKeyExpectation, source: string): RootKey {
  if (key.id === expected.id) return key;
  key.wipe();
  throw new Fault(
    "root_key_wrong",
    `The root key in ${source} is not the one that wraps this vault (expected ${expected.id}, found ${key.id}); put back the root key that belongs to this database.`,
  );
}

/** A root key that the operator put in its place, so that there is nothing to commit or to discard. */
export function asGiven(key: RootKey): NewRootKey {
  return { key, commit: () => Promise.resolve(), discard: () => Promise.resolve() };
}
