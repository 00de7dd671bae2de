import wrappers, { ready } from "libsodium-wrappers";
import { assert } from "../core/assert.js";
import { wipeable } from "./bytes.js";

export const KEY_BYTES = 32;
export const AEAD_NONCE_BYTES = 24;
const AEAD_TAG_BYTES = 16;
/** What a sealed box is longer than its plaintext: an ephemeral public key and a tag. */
const SEAL_OVERHEAD_BYTES = 48;

type Compiled = (...pointersAndLengths: readonly number[]) => number;

/** The compiled functions that are used here; lengths of 64 bits are passed as low and high half. */
interface Engine {
  /** Asked for each time, because the memory moves when it grows. */
  memory(): Uint8Array;
  readonly allocate: Compiled;
  readonly keyPair: Compiled;
  readonly publicKey: Compiled;
  readonly seal: Compiled;
  readonly open: Compiled;
  readonly encrypt: Compiled;
  readonly decrypt: Compiled;
}

export interface KeyPair {
  readonly publicKey: Uint8Array;
  readonly privateKey: Uint8Array;
}

export interface AeadInput {
  readonly key: Uint8Array;
  readonly nonce: Uint8Array;
  /** Authenticated, not encrypted; may be empty. */
  readonly associated: Uint8Array;
}

/** The largest call: two texts of 16 KiB with keys, nonces and associated data. */
const ARENA_BYTES = 64 * 1024;

/** One less than a block of the cipher, so that the whole of its stack copy is written over. */
const SCRUB_BYTES = 63;

/**
 * libsodium with one piece of its memory that is zeroed after every call. The wrappers of the package copy
 * keys into freshly allocated memory and only free it, so that a locked server would still hold them.
 */
export class Sodium {
  readonly #engine: Engine;
  readonly #arena: number;
  #used = 0;

  constructor(engine: Engine) {
    this.#engine = engine;
    this.#arena = engine.allocate(ARENA_BYTES);
    assert(this.#arena !== 0, "libsodium has memory");
    this.#used = ARENA_BYTES;
    this.#clear();
  }

  /** A key pair made from 32 random bytes. */
  keyPair(seed: Uint8Array): KeyPair {
    assert(seed.length === KEY_BYTES, "the seed has 32 bytes");
    return this.#scoped(() => {
      const publicKey = this.#take(KEY_BYTES);
      const privateKey = this.#take(KEY_BYTES);
      const failed = this.#engine.keyPair(publicKey, privateKey, this.#put(seed));
      assert(failed === 0, "a key pair was made");
      return {
        publicKey: this.#get(publicKey, KEY_BYTES),
        privateKey: this.#get(privateKey, KEY_BYTES),
      };
    });
  }

  publicKeyOf(privateKey: Uint8Array): Uint8Array {
    assert(privateKey.length === KEY_BYTES, "the private key has 32 bytes");
    return this.#scoped(() => {
      const publicKey = this.#take(KEY_BYTES);
      const failed = this.#engine.publicKey(publicKey, this.#put(privateKey));
      assert(failed === 0, "the private key has a public key");
      return this.#get(publicKey, KEY_BYTES);
    });
  }

  /** Anyone with the public key can seal; about 150 µs. */
  seal(text: Uint8Array, publicKey: Uint8Array): Uint8Array {
    assert(publicKey.length === KEY_BYTES, "the public key has 32 bytes");
    return this.#scoped(() => {
      const box = this.#take(text.length + SEAL_OVERHEAD_BYTES);
      const pk = this.#put(publicKey);
      const failed = this.#engine.seal(box, this.#put(text), text.length, 0, pk);
      assert(failed === 0, "the box was sealed");
      return this.#get(box, text.length + SEAL_OVERHEAD_BYTES);
    });
  }

  /** Undefined if the box was not sealed to this key pair or was altered; about 100 µs. */
  open(box: Uint8Array, pair: KeyPair): Uint8Array | undefined {
    if (box.length < SEAL_OVERHEAD_BYTES) return undefined;
    return this.#scoped(() => {
      const length = box.length - SEAL_OVERHEAD_BYTES;
      const text = this.#take(length);
      const pk = this.#put(pair.publicKey);
      const sk = this.#put(pair.privateKey);
      const failed = this.#engine.open(text, this.#put(box), box.length, 0, pk, sk);
      return failed === 0 ? this.#get(text, length) : undefined;
    });
  }

  /** XChaCha20-Poly1305. */
  encrypt(text: Uint8Array, input: AeadInput): Uint8Array {
    checkAead(input);
    return this.#scoped(() => {
      const box = this.#take(text.length + AEAD_TAG_BYTES);
      const from = this.#put(text);
      const [associated, nonce, key] = this.#putAead(input);
      // prettier-ignore
      const failed = this.#engine.encrypt(
        box, 0, from, text.length, 0, associated, input.associated.length, 0, 0, nonce, key,
      );
      assert(failed === 0, "the text was encrypted");
      return this.#get(box, text.length + AEAD_TAG_BYTES);
    });
  }

  /** Undefined if the key, nonce or associated data is another, or the box was altered. */
  decrypt(box: Uint8Array, input: AeadInput): Uint8Array | undefined {
    checkAead(input);
    if (box.length < AEAD_TAG_BYTES) return undefined;
    return this.#scoped(() => {
      const length = box.length - AEAD_TAG_BYTES;
      const text = this.#take(length);
      const from = this.#put(box);
      const [associated, nonce, key] = this.#putAead(input);
      // prettier-ignore
      const failed = this.#engine.decrypt(
        text, 0, 0, from, box.length, 0, associated, input.associated.length, 0, nonce, key,
      );
      return failed === 0 ? this.#get(text, length) : undefined;
    });
  }

  /**
   * Overwrites what the last calls left on the compiled stack: the cipher copies the end of its text to a
   * block there and leaves it. Call after the last use of keys.
   */
  scrub(): void {
    const zeros = new Uint8Array(SCRUB_BYTES);
    const key = zeros.subarray(0, KEY_BYTES);
    const nonce = zeros.subarray(0, AEAD_NONCE_BYTES);
    this.encrypt(zeros, { key, nonce, associated: zeros });
    this.publicKeyOf(key);
  }

  #putAead(input: AeadInput): readonly [number, number, number] {
    return [this.#put(input.associated), this.#put(input.nonce), this.#put(input.key)];
  }

  #scoped<T>(work: () => T): T {
    try {
      return work();
    } finally {
      this.#clear();
    }
  }

  #take(length: number): number {
    const pointer = this.#arena + this.#used;
    this.#used += length;
    assert(this.#used <= ARENA_BYTES, "the text fits into the arena");
    return pointer;
  }

  #put(bytes: Uint8Array): number {
    const pointer = this.#take(bytes.length);
    this.#engine.memory().set(bytes, pointer);
    return pointer;
  }

  #get(pointer: number, length: number): Uint8Array {
    const bytes = wipeable(length);
    bytes.set(this.#engine.memory().subarray(pointer, pointer + length));
    return bytes;
  }

  #clear(): void {
    this.#engine.memory().fill(0, this.#arena, this.#arena + this.#used);
    this.#used = 0;
  }
}

function checkAead(input: AeadInput): void {
  assert(input.key.length === KEY_BYTES, "the key has 32 bytes");
  assert(input.nonce.length === AEAD_NONCE_BYTES, "the nonce has 24 bytes");
}

/** Waits until libsodium is compiled. */
export async function loadSodium(): Promise<Sodium> {
  await ready;
  // The package keeps its compiled module in this property; the lock file pins the version.
  const { libsodium: module } = wrappers as {
    readonly libsodium?: Readonly<Record<string, unknown>>;
  };
  assert(module !== undefined, "libsodium gives its module");
  const compiled = (name: string): Compiled => {
    const found = module[name];
    assert(typeof found === "function", `libsodium has ${name}`);
    return found as Compiled;
  };
  return new Sodium({
    memory: () => module["HEAPU8"] as Uint8Array,
    allocate: compiled("_malloc"),
    keyPair: compiled("_crypto_box_seed_keypair"),
    publicKey: compiled("_crypto_scalarmult_base"),
    seal: compiled("_crypto_box_seal"),
    open: compiled("_crypto_box_seal_open"),
    encrypt: compiled("_crypto_aead_xchacha20poly1305_ietf_encrypt"),
    decrypt: compiled("_crypto_aead_xchacha20poly1305_ietf_decrypt"),
  });
}
