import type { Storage } from "../storage/open.js";

/** Setting under which the number of the root key is kept; there is no other trace of the earlier ones. */
const SETTING = "vault.root_key_version";

/** The number of the root key in force, from 1. */
export async function rootKeyVersion(storage: Storage): Promise<number> {
  return Number((await storage.keys.read.settings.get(SETTING)) ?? "1");
}

/** Counts a new root key and returns its number. */
export async function countRootKey(storage: Storage): Promise<number> {
  return storage.keys.write(async (tx) => {
    const next = Number((await tx.settings.get(SETTING)) ?? "1") + 1;
    await tx.settings.put(SETTING, String(next));
    return next;
  });
}
