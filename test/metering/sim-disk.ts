import type { JournalDisk } from "../../server/metering/journal-disk.js";

interface SimFile {
  bytes: Buffer;
  size: number;
  synced: number;
  /** Whether its name in the folder survives a power cut. */
  named: boolean;
}

/** A disk in memory that can be full, fail, tear writes and lose power. */
export class SimDisk implements JournalDisk {
  readonly files = new Map<string, SimFile>();
  readonly #open = new Map<number, { name: string; failed: boolean }>();
  #nextHandle = 1;
  /** Bytes that all files may have together. */
  capacityBytes = Number.POSITIVE_INFINITY;
  /** Error code that the next appends fail with; undefined for none. */
  appendError: string | undefined;
  /** Bytes of a failing append that reach the file nevertheless. */
  tornBytes = 0;
  truncateFails = false;
  createError: string | undefined;
  /** How many of the next syncs fail. */
  syncFailures = 0;
  /** Holds syncs back until `releaseSyncs`. */
  holdSyncs = false;
  #held: (() => void)[] = [];
  readError: string | undefined;
  syncs = 0;

  create(name: string): number {
    if (this.createError !== undefined) throw diskError(this.createError);
    if (this.files.has(name)) throw diskError("EEXIST");
    this.files.set(name, { bytes: Buffer.alloc(1024), size: 0, synced: 0, named: false });
    const handle = this.#nextHandle++;
    this.#open.set(handle, { name, failed: false });
    return handle;
  }

  append(handle: number, bytes: Uint8Array, range: { done: number; length: number }): number {
    const file = this.#file(handle);
    const part = bytes.subarray(range.done, range.length);
    if (this.appendError !== undefined) {
      put(file, part.subarray(0, this.tornBytes));
      throw diskError(this.appendError);
    }
    const room = this.capacityBytes - this.usedBytes;
    if (room <= 0) throw diskError("ENOSPC");
    const taken = Math.min(room, part.length);
    put(file, part.subarray(0, taken));
    return taken;
  }

  truncate(handle: number, bytes: number): void {
    if (this.truncateFails) throw diskError("EIO");
    this.#file(handle).size = bytes;
  }

  async datasync(handle: number): Promise<void> {
    const open = this.#open.get(handle);
    if (open === undefined) throw diskError("EBADF");
    if (open.failed) throw new Error("synced again after a failed sync");
    const file = this.#file(handle);
    const { size } = file;
    this.syncs += 1;
    if (this.holdSyncs) await new Promise<void>((resolve) => this.#held.push(resolve));
    else await Promise.resolve();
    if (this.syncFailures > 0) {
      this.syncFailures -= 1;
      open.failed = true;
      throw diskError("EIO");
    }
    file.synced = Math.max(file.synced, size);
  }

  releaseSyncs(): void {
    for (const resolve of this.#held.splice(0)) resolve();
  }

  close(handle: number): void {
    if (!this.#open.delete(handle)) throw diskError("EBADF");
  }

  async syncFolder(): Promise<void> {
    await Promise.resolve();
    for (const file of this.files.values()) file.named = true;
  }

  /** In an order that nobody may build upon: the newest come first. */
  async list(): Promise<{ name: string; size: number }[]> {
    return [...this.files].map(([name, file]) => ({ name, size: file.size })).toReversed();
  }

  async read(name: string, offset: number, length: number): Promise<Uint8Array> {
    await Promise.resolve();
    if (this.readError !== undefined) throw diskError(this.readError);
    const file = this.files.get(name);
    if (file === undefined) throw diskError("ENOENT");
    return Buffer.from(file.bytes.subarray(offset, Math.min(file.size, offset + length)));
  }

  async rename(from: string, to: string): Promise<void> {
    const file = this.files.get(from);
    if (file === undefined) throw diskError("ENOENT");
    this.files.delete(from);
    this.files.set(to, file);
  }

  async remove(name: string): Promise<void> {
    if (!this.files.delete(name)) throw diskError("ENOENT");
  }

  get usedBytes(): number {
    return [...this.files.values()].reduce((sum, file) => sum + file.size, 0);
  }

  get openHandles(): number {
    return this.#open.size;
  }

  /** The disk as the next process finds it after a kill: everything written is there. */
  afterKill(): SimDisk {
    return this.#copy((file) => file.size);
  }

  /** The disk after a power cut: of what was not synced, `kept(bytes)` bytes survive in each file. */
  afterPowerCut(kept: (unsyncedBytes: number) => number): SimDisk {
    return this.#copy((file) =>
      file.named ? file.synced + kept(file.size - file.synced) : undefined,
    );
  }

  /** A copy with one file cut to `bytes`. */
  withCut(name: string, bytes: number): SimDisk {
    const copy = this.afterKill();
    const file = copy.files.get(name);
    if (file !== undefined) file.size = bytes;
    return copy;
  }

  #copy(sizeOf: (file: SimFile) => number | undefined): SimDisk {
    const copy = new SimDisk();
    for (const [name, file] of this.files) {
      const size = sizeOf(file);
      if (size === undefined) continue;
      const bytes = Buffer.from(file.bytes.subarray(0, Math.max(size, 1)));
      copy.files.set(name, { bytes, size, synced: size, named: true });
    }
    return copy;
  }

  #file(handle: number): SimFile {
    const file = this.files.get(this.#open.get(handle)?.name ?? "");
    if (file === undefined) throw diskError("EBADF");
    return file;
  }
}

function put(file: SimFile, part: Uint8Array): void {
  if (file.size + part.length > file.bytes.length) {
    const larger = Buffer.alloc((file.size + part.length) * 2);
    file.bytes.copy(larger, 0, 0, file.size);
    file.bytes = larger;
  }
  file.bytes.set(part, file.size);
  file.size += part.length;
}

function diskError(code: string): Error {
  return Object.assign(new Error(`${code}: simulated`), { code });
}
