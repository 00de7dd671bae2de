import { Fault } from "../../core/fault.js";
import { randomKey } from "../bytes.js";
import { KEY_BYTES } from "../sodium.js";
import { createLocalRootKey, expectRootKey, type LocalRootKeyTools } from "./local-root-key.js";
import type { RootKey, RootKeyExpectation, RootKeyKind, RootKeyProvider } from "./provider.js";

/** Marks the header of a keyring whose root key is encrypted by a key management service. */
const HEADER_TAG = 2;

/** A service that encrypts and decrypts with a key that never leaves it. */
export interface KeyManagementService {
  readonly kind: RootKeyKind;
  /** E.g. `transit key latchkey at https://vault.internal:8200`. */
  describe(): string;
  encrypt(plaintext: Uint8Array): Promise<Uint8Array>;
  /**
   * In wipeable memory. Throws Fault `root_key_wrong` if the service's key did not encrypt this, `config_invalid`
   * or `upstream_unreachable`.
   */
  decrypt(ciphertext: Uint8Array): Promise<Uint8Array>;
}

export interface KmsRootKeyOptions extends LocalRootKeyTools {
  readonly service: KeyManagementService;
}

/**
 * The root key is random and kept only as ciphertext of a key management service, beside the keyring: one
 * request at unlock, none afterwards. A rotation makes a new root key under the service's newest key.
 */
export function createKmsRootKeyProvider(options: KmsRootKeyOptions): RootKeyProvider {
  const { service } = options;
  return {
    kind: service.kind,
    needsPassphrase: false,
    describe: () => service.describe(),
    open: (expected) => open(options, expected),
    async create() {
      const bytes = randomKey(options.random, KEY_BYTES);
      const header = Buffer.concat([Buffer.of(HEADER_TAG), await service.encrypt(bytes)]);
      const key = createLocalRootKey(options, bytes, header);
      return { key, commit: () => Promise.resolve(), discard: () => Promise.resolve() };
    },
  };
}

/** Whether a key management service has the root key of a keyring with this header. */
export function isKeptByService(header: Uint8Array): boolean {
  return header[0] === HEADER_TAG;
}

async function open(options: KmsRootKeyOptions, expected: RootKeyExpectation): Promise<RootKey> {
  const { header } = expected;
  if (!isKeptByService(header)) {
    throw new Fault(
      "root_key_wrong",
      `This vault's root key is not kept by the ${options.service.describe()}; start the server with the --root-key that it was made with or moved to, such as file.`,
    );
  }
  const bytes = await options.service.decrypt(header.subarray(1));
  return expectRootKey(
    createLocalRootKey(options, bytes, Uint8Array.from(header)),
    expected,
    `the ${options.service.describe()}`,
  );
}
