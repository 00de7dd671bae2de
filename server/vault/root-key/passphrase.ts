import { scrypt } from "node:crypto";
import { Fault, invalidField } from "../../core/fault.js";
import type { Secret } from "../../core/secret.js";
import { wipe, wipeableCopy } from "../bytes.js";
import { KEY_BYTES } from "../sodium.js";
import { createLocalRootKey, type LocalRootKeyTools } from "./local-root-key.js";
import type { RootKey, RootKeyProvider } from "./provider.js";

/** Marks the header of a keyring under a passphrase; then come ln, r, p and the salt. */
const HEADER_TAG = 1;
const HEADER_BYTES = 4 + 16;
const SALT_BYTES = 16;
/** 128 MiB and about half a second: the passphrase is typed once per start. */
const COST = { ln: 17, r: 8, p: 1 };
/** A stored cost outside of this is not ours; a larger one would exhaust the memory. */
const LN_MIN = 14;
const LN_MAX = 20;
const R_MAX = 16;
const P_MAX = 4;
const PASSPHRASE_CHARS_MIN = 12;
const PASSPHRASE_BYTES_MAX = 4096;
/**
 * Twice the key. Newer OpenSSL leaves the last 32 bytes that it derives on the stack of a thread; the first ones,
 * which are the same whatever follows them, it does not.
 */
const DERIVED_BYTES = 2 * KEY_BYTES;

interface Parameters {
  readonly ln: number;
  readonly r: number;
  readonly p: number;
  readonly salt: Uint8Array;
}

export interface PassphraseOptions extends LocalRootKeyTools {
  /** For tests; 2^17 otherwise. */
  readonly ln?: number;
}

/**
 * The root key is derived from a passphrase that a person types after each start; until then the vault is
 * locked. Salt and cost are stored in clear beside the keyring.
 */
export function createPassphraseProvider(options: PassphraseOptions): RootKeyProvider {
  return {
    kind: "PASSPHRASE",
    needsPassphrase: true,
    describe: () => "passphrase typed by an administrator",
    async open(expected, passphrase) {
      const parameters = parseHeader(expected.header);
      if (parameters === undefined) {
        throw new Fault(
          "root_key_wrong",
          "This vault is not under a passphrase; start the server with the root key source that it was made with.",
        );
      }
      const key = await deriveRootKey(options, needed(passphrase), parameters);
      if (key.id === expected.id) return key;
      key.wipe();
      throw new Fault(
        "root_key_wrong",
        "The passphrase is wrong; type the one that the vault was made with.",
      );
    },
    async create(_occasion, passphrase) {
      const given = needed(passphrase);
      if (given.length < PASSPHRASE_CHARS_MIN) {
        throw invalidField("passphrase", `must have at least ${PASSPHRASE_CHARS_MIN} characters.`);
      }
      const salt = options.random.bytes(SALT_BYTES);
      const parameters = { ...COST, ln: options.ln ?? COST.ln, salt };
      const key = await deriveRootKey(options, given, parameters);
      return { key, commit: () => Promise.resolve(), discard: () => Promise.resolve() };
    },
  };
}

/** True for the header of a keyring whose root key comes from a passphrase. */
export function isUnderPassphrase(header: Uint8Array): boolean {
  return parseHeader(header) !== undefined;
}

function needed(passphrase: Secret | undefined): Secret {
  if (passphrase !== undefined && passphrase.length > 0) return passphrase;
  throw invalidField("passphrase", "is needed to unlock this vault.");
}

async function deriveRootKey(
  tools: LocalRootKeyTools,
  passphrase: Secret,
  parameters: Parameters,
): Promise<RootKey> {
  const text = Buffer.from(passphrase.reveal().normalize("NFKC"), "utf8");
  try {
    if (text.length > PASSPHRASE_BYTES_MAX) {
      throw invalidField("passphrase", `must not be longer than ${PASSPHRASE_BYTES_MAX} bytes.`);
    }
    const derived = await derive(text, parameters);
    const bytes = wipeableCopy(derived.subarray(0, KEY_BYTES));
    wipe(derived);
    return createLocalRootKey(tools, bytes, formatHeader(parameters));
  } finally {
    wipe(text);
  }
}

/** With the key in front. On the thread pool: half a second on the event loop would stop every call. */
function derive(text: Uint8Array, parameters: Parameters): Promise<Uint8Array> {
  const { ln, r, p, salt } = parameters;
  const N = 2 ** ln;
  const maxmem = 128 * N * r * p + 1024 * 1024;
  return new Promise((resolve, reject) => {
    scrypt(text, salt, DERIVED_BYTES, { N, r, p, maxmem }, (error, key) => {
      if (error === null) resolve(key);
      else reject(error);
    });
  });
}

function formatHeader(parameters: Parameters): Uint8Array {
  const { ln, r, p, salt } = parameters;
  return Buffer.concat([Buffer.of(HEADER_TAG, ln, r, p), salt]);
}

function parseHeader(header: Uint8Array): Parameters | undefined {
  if (header.length !== HEADER_BYTES || header[0] !== HEADER_TAG) return undefined;
  const [, ln = 0, r = 0, p = 0] = header;
  const within = ln >= LN_MIN && ln <= LN_MAX && r >= 1 && r <= R_MAX && p >= 1 && p <= P_MAX;
  return within ? { ln, r, p, salt: header.subarray(4) } : undefined;
}
