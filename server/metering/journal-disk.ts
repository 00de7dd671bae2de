import {
  closeSync,
  constants,
  fdatasync,
  ftruncateSync,
  mkdirSync,
  openSync,
  writeSync,
} from "node:fs";
import { open, readdir, rename, stat, unlink } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { Fault } from "../core/fault.js";

/**
 * What the journal needs of a disk. Writing is synchronous because a call counts as recorded when
 * `append` returns: the bytes are then in the kernel and survive the death of this process.
 */
export interface JournalDisk {
  /** Makes a file for appending that only this user can read; fails if it exists. */
  create(name: string): number;
  /** Appends `length` bytes from the start of `bytes`, less `done`; returns how many were taken, maybe fewer. */
  append(handle: number, bytes: Uint8Array, range: { done: number; length: number }): number;
  /** Cuts the file to `bytes`. */
  truncate(handle: number, bytes: number): void;
  /** Returns when the file's data survive a power cut. After a failure the handle must not be used again. */
  datasync(handle: number): Promise<void>;
  close(handle: number): void;
  /** Returns when the names in the folder survive a power cut. */
  syncFolder(): Promise<void>;
  list(): Promise<readonly { readonly name: string; readonly size: number }[]>;
  /** Up to `length` bytes from `offset`; fewer at the end of the file. */
  read(name: string, offset: number, length: number): Promise<Uint8Array>;
  rename(from: string, to: string): Promise<void>;
  remove(name: string): Promise<void>;
}

const datasync = promisify(fdatasync);
const OWNER_ONLY_FILE = 0o600;
const OWNER_ONLY_FOLDER = 0o700;

/** The journal's folder on a real disk. Makes it; throws Fault `data_folder_unusable` when that fails. */
export function nodeJournalDisk(folder: string): JournalDisk {
  try {
    mkdirSync(folder, { recursive: true, mode: OWNER_ONLY_FOLDER });
  } catch (error) {
    throw new Fault(
      "data_folder_unusable",
      `The journal folder ${folder} cannot be made; check that the data folder exists, is writable and has space.`,
      { cause: error },
    );
  }
  const at = (name: string): string => path.join(folder, name);
  const flags = constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY | constants.O_APPEND;
  return {
    create: (name) => openSync(at(name), flags, OWNER_ONLY_FILE),
    append: (handle, bytes, { done, length }) => writeSync(handle, bytes, done, length - done),
    truncate: (handle, bytes) => ftruncateSync(handle, bytes),
    datasync: (handle) => datasync(handle),
    close: (handle) => closeSync(handle),
    syncFolder: () => syncFolder(folder),
    list: () => listFiles(folder),
    read: (name, offset, length) => readRange(at(name), offset, length),
    rename: (from, to) => rename(at(from), at(to)),
    remove: (name) => unlink(at(name)),
  };
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function listFiles(folder: string): Promise<{ name: string; size: number }[]> {
  const names = await readdir(folder);
  return Promise.all(
    names.map(async (name) => ({ name, size: (await stat(path.join(folder, name))).size })),
  );
}

async function readRange(file: string, offset: number, length: number): Promise<Uint8Array> {
  const handle = await open(file, "r");
  try {
    const bytes = Buffer.allocUnsafe(length);
    let filled = 0;
    while (filled < length) {
      const { bytesRead } = await handle.read(bytes, filled, length - filled, offset + filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return bytes.subarray(0, filled);
  } finally {
    await handle.close();
  }
}
