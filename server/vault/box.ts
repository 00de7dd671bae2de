import { createHash } from "node:crypto";
import { Fault, invalidField } from "../core/fault.js";
import { Secret } from "../core/secret.js";
import type { SealBinding } from "../core/sealed.js";
import { canonical, equalBytes, readUint32, uint32, wipe } from "./bytes.js";
import type { KeyPair, Sodium } from "./sodium.js";

/** Provider secrets are short; service-account files of some clouds have a few KiB. */
export const SECRET_BYTES_MAX = 12 * 1024;

const BOX_FORMAT = 1;
const BOX_HEADER_BYTES = 5;
const TEXT_FORMAT = 1;
const CONTEXT_HASH_BYTES = 32;
const TEXT_HEADER_BYTES = 1 + CONTEXT_HASH_BYTES;

/** Why a stored secret is not used. */
export type RefusalReason =
  /** The box or the MAC has a format that this release does not know. */
  | "UNKNOWN_FORMAT"
  /** The keyring has no key of the version that the row names. */
  | "UNKNOWN_KEY_VERSION"
  /** The row was changed after it was sealed: owner, provider, origin, visibility, version or ciphertext. */
  | "ROW_ALTERED"
  /** The box does not open: altered, forged, or sealed to another public key. */
  | "BOX_UNREADABLE"
  /** The box opens but belongs to another row. */
  | "BOX_MISPLACED"
  /** Sealed while the vault was locked, by another run of the server; an administrator must confirm it. */
  | "UNCONFIRMED";

/** What the inside of a box is bound to. The visibility is not among it: only the row MAC holds that. */
export interface BoxContext {
  readonly binding: SealBinding;
  readonly vaultKeyVersion: number;
}

export type Opened =
  | { readonly secret: Secret; readonly refused?: never }
  | { readonly secret?: never; readonly refused: RefusalReason };

/**
 * Seals a secret to the vault's public key. The box names its format and key version; its inside begins
 * with a hash of the row that it belongs to, because sealed boxes have no associated data.
 * Throws Fault `invalid_argument` for an empty or oversized secret.
 */
export function sealBox(
  sodium: Sodium,
  secret: Secret,
  context: BoxContext,
  publicKey: Uint8Array,
): Uint8Array {
  const bytes = Buffer.from(secret.reveal(), "utf8");
  try {
    if (bytes.length === 0) throw invalidField("secret", "must not be empty.");
    if (bytes.length > SECRET_BYTES_MAX) {
      throw invalidField("secret", `must not be longer than ${SECRET_BYTES_MAX} bytes.`);
    }
    const text = Buffer.concat([Buffer.of(TEXT_FORMAT), contextHash(context), bytes]);
    try {
      const box = sodium.seal(text, publicKey);
      return Buffer.concat([Buffer.of(BOX_FORMAT), uint32(context.vaultKeyVersion), box]);
    } finally {
      wipe(text);
    }
  } finally {
    wipe(bytes);
  }
}

/** Opens a box and checks that it belongs to the row it was found in. */
export function openBox(
  sodium: Sodium,
  ciphertext: Uint8Array,
  context: BoxContext,
  pair: KeyPair,
): Opened {
  if (ciphertext[0] !== BOX_FORMAT) return { refused: "UNKNOWN_FORMAT" };
  if (readUint32(ciphertext, 1) !== context.vaultKeyVersion) return { refused: "ROW_ALTERED" };
  const text = sodium.open(ciphertext.subarray(BOX_HEADER_BYTES), pair);
  if (text === undefined) return { refused: "BOX_UNREADABLE" };
  try {
    if (text[0] !== TEXT_FORMAT) return { refused: "UNKNOWN_FORMAT" };
    const hash = text.subarray(1, TEXT_HEADER_BYTES);
    if (!equalBytes(hash, contextHash(context))) return { refused: "BOX_MISPLACED" };
    return { secret: new Secret(utf8(text.subarray(TEXT_HEADER_BYTES))) };
  } finally {
    wipe(text);
  }
}

/** Two contexts with equal hashes may hold the same box. */
export function contextHash(context: BoxContext): Uint8Array {
  const { recordId, ownerId, providerId, origin } = context.binding;
  const fields = [recordId, ownerId, providerId, origin, context.vaultKeyVersion];
  return createHash("sha256").update(canonical("latchkey/box/v1", fields)).digest();
}

/** The failure that a refused secret becomes; it names the row and the cause, never the secret. */
export function refusalFault(recordId: string, reason: RefusalReason): Fault {
  return new Fault(
    "secret_unreadable",
    `The secret of ${recordId} is not used: ${refusalWords(reason)}`,
  );
}

/** Cause and remedy of a refusal, for people. */
export function refusalWords(reason: RefusalReason): string {
  return WORDS[reason];
}

const WORDS: Readonly<Record<RefusalReason, string>> = {
  UNKNOWN_FORMAT: "it was stored by a newer release; upgrade Latchkey or enter the secret again.",
  UNKNOWN_KEY_VERSION:
    "the keyring lacks the vault key that it was sealed to; restore the keyring or enter the secret again.",
  ROW_ALTERED: "its row was changed outside Latchkey; restore a backup or enter the secret again.",
  BOX_UNREADABLE:
    "its ciphertext was altered or forged; restore a backup or enter the secret again.",
  BOX_MISPLACED:
    "its ciphertext belongs to another record; restore a backup or enter the secret again.",
  UNCONFIRMED:
    "it was entered while the vault was locked and the server has restarted since; confirm it or enter it again.",
};

function utf8(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
}
