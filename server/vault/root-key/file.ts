import { constants } from "node:fs";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import path from "node:path";
import { Fault } from "../../core/fault.js";
import { randomKey, wipe, wipeable } from "../bytes.js";
import { KEY_BYTES } from "../sodium.js";
import { formatRootKey, KEY_TEXT_BYTES_MAX, parseRootKey } from "./key-text.js";
import {
  asGiven,
  createLocalRootKey,
  expectRootKey,
  type LocalRootKeyTools,
} from "./local-root-key.js";
import type {
  NewRootKey,
  RootKey,
  RootKeyExpectation,
  RootKeyOccasion,
  RootKeyProvider,
} from "./provider.js";

/** Bits of a mode that let the group or the world do anything. */
const GROUP_AND_WORLD = 0o077;

export interface FileRootKeyOptions extends LocalRootKeyTools {
  /** E.g. `/var/lib/latchkey/root.key`; a replacement is prepared beside it under `.next`. */
  readonly path: string;
}

/**
 * The root key in a file that only the server's user can read; made at the first start. A new root key is
 * written and synced as `<path>.next` before the keyring names it, and renamed after; a start in between
 * finds by the keyring's root key id which of the two is in force.
 */
export function createFileRootKeyProvider(options: FileRootKeyOptions): RootKeyProvider {
  const current = options.path;
  const next = `${options.path}.next`;
  return {
    kind: "FILE",
    needsPassphrase: false,
    describe: () => `file ${current}`,
    open: (expected) => openResolved(options, expected, { current, next }),
    create: (occasion) => create(options, occasion, { current, next }),
  };
}

interface Paths {
  readonly current: string;
  readonly next: string;
}

async function openResolved(
  options: FileRootKeyOptions,
  expected: RootKeyExpectation,
  paths: Paths,
): Promise<RootKey> {
  const now = await readKey(options, paths.current);
  if (now?.id === expected.id) {
    // A replacement that the keyring does not name belongs to a rotation that did not happen.
    await rm(paths.next, { force: true });
    return now;
  }
  const prepared = await readKey(options, paths.next);
  if (prepared?.id === expected.id) {
    now?.wipe();
    await promote(paths);
    return prepared;
  }
  prepared?.wipe();
  if (now !== undefined) return expectRootKey(now, expected, paths.current);
  throw new Fault(
    "root_key_wrong",
    `The root key file ${paths.current} is missing but the database holds a vault; put back the file with root key ${expected.id}, or start with the --root-key that the vault was made with.`,
  );
}

async function create(
  options: FileRootKeyOptions,
  occasion: RootKeyOccasion,
  paths: Paths,
): Promise<NewRootKey> {
  if (occasion === "FIRST_START") {
    // A key that is there already may belong to a database that was mislaid, so it is never replaced.
    const given = await readKey(options, paths.current);
    if (given !== undefined) return asGiven(given);
  }
  // Nothing refers to a prepared key while the keyring is being made anew or replaced.
  await rm(paths.next, { force: true });
  const bytes = randomKey(options.random, KEY_BYTES);
  await writeKey(paths.next, bytes);
  return {
    key: createLocalRootKey(options, bytes),
    commit: () => promote(paths),
    discard: () => rm(paths.next, { force: true }),
  };
}

async function promote(paths: Paths): Promise<void> {
  await rename(paths.next, paths.current);
  await syncFolder(paths.current);
}

async function writeKey(file: string, key: Uint8Array): Promise<void> {
  const text = formatRootKey(key);
  try {
    const handle = await open(file, "wx", 0o600);
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await syncFolder(file);
  } catch (thrown) {
    throw new Fault(
      "data_folder_unusable",
      `The root key file ${file} cannot be written; check that its folder exists, has space and belongs to the server's user.`,
      { cause: thrown },
    );
  } finally {
    wipe(text);
  }
}

/** A file's name is durable only when its folder is synced too. */
async function syncFolder(file: string): Promise<void> {
  const folder = await open(path.dirname(file), constants.O_RDONLY);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Undefined if there is no such file. */
async function readKey(options: FileRootKeyOptions, file: string): Promise<RootKey | undefined> {
  const bytes = await readKeyFile(file, GROUP_AND_WORLD);
  return bytes === undefined ? undefined : createLocalRootKey(options, bytes);
}

/**
 * Reads a root key file; undefined if it does not exist. Throws Fault `root_key_exposed` when the mode has
 * one of `forbiddenModeBits`, `config_invalid` when it holds no key.
 */
export async function readKeyFile(
  file: string,
  forbiddenModeBits: number,
): Promise<Uint8Array | undefined> {
  const handle = await openIfThere(file);
  if (handle === undefined) return undefined;
  const text = wipeable(KEY_TEXT_BYTES_MAX);
  try {
    // The mode is asked of the open file, so that it cannot be exchanged in between.
    const { mode } = await handle.stat();
    if ((mode & forbiddenModeBits) !== 0) {
      throw new Fault(
        "root_key_exposed",
        `Other users of this machine can read the root key file ${file}; run \`chmod 600 ${file}\`, and rotate the root key if they may have done so.`,
      );
    }
    const { bytesRead } = await handle.read(text, 0, text.length, 0);
    return parseRootKey(text.subarray(0, bytesRead), `The root key file ${file}`);
  } finally {
    wipe(text);
    await handle.close();
  }
}

async function openIfThere(file: string): Promise<FileHandle | undefined> {
  try {
    return await open(file, constants.O_RDONLY);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new Fault(
      "data_folder_unusable",
      `The root key file ${file} cannot be read; check that it belongs to the server's user.`,
      { cause: thrown },
    );
  }
}
