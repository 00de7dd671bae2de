import type { Logger } from "../core/logger.js";
import { type PlainKey, rootKeyOf, wrapKeys } from "./keyring.js";
import type { KeyringStore, WrappedKey } from "./ports.js";
import type { NewRootKey } from "./root-key/provider.js";

export interface KeyringWriter {
  readonly store: KeyringStore;
  readonly logger: Logger;
  /** Throws when the vault was locked since the work began: its keys are zeros then. */
  readonly checkUnlocked: () => void;
}

/**
 * Saves the keyring under a root key that is not in force yet, then puts the root key in force. If this
 * throws, the old root key is in force, or it is unknown which and both are kept for the next start.
 */
export async function saveUnderNewRoot(
  writer: KeyringWriter,
  keys: readonly PlainKey[],
  next: NewRootKey,
): Promise<readonly WrappedKey[]> {
  let stored: readonly WrappedKey[];
  try {
    stored = await wrapKeys(keys, next.key, writer.checkUnlocked);
  } catch (thrown) {
    next.key.wipe();
    await next.discard();
    throw thrown;
  }
  try {
    await writer.store.saveKeyring(stored);
  } catch (thrown) {
    if (!(await wasSaved(writer, next))) {
      next.key.wipe();
      throw thrown;
    }
    writer.logger.warn({ err: thrown }, "saving the keyring failed after it was saved");
  }
  await putInForce(writer, next);
  return stored;
}

/** A failed save may have happened all the same: only the stored keyring says. Throws if it cannot be read. */
async function wasSaved(writer: KeyringWriter, next: NewRootKey): Promise<boolean> {
  const stored = await writer.store.loadKeyring();
  const saved = stored.length > 0 && rootKeyOf(stored).id === next.key.id;
  if (!saved) await next.discard();
  return saved;
}

/** The keyring names the new root key already, so a failure here is made good at the next unlock. */
async function putInForce(writer: KeyringWriter, next: NewRootKey): Promise<void> {
  try {
    await next.commit();
  } catch (thrown) {
    writer.logger.error({ err: thrown }, "the new root key is not in its place yet");
  }
}
