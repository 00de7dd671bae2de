import type { JournalDisk } from "./journal-disk.js";
import { encodeHeader } from "./journal-frames.js";
import { journalName } from "./journal-position.js";

/** Errors that mean "no space now": the file itself is sound and can be tried again. */
const NO_SPACE_CODES: ReadonlySet<unknown> = new Set(["ENOSPC", "EDQUOT"]);

/**
 * One journal file that this process appends to. A write that fails half-way is undone by cutting the
 * file back; when the disk is not merely full, or the cut fails, the file is retired and never written again.
 */
export class JournalFile {
  readonly number: number;
  readonly #disk: JournalDisk;
  readonly #handle: number;
  readonly #header: { readonly bytes: Buffer; readonly seed: number };
  /** Bytes of whole frames and the header. */
  size = 0;
  /** Of `size`, what survives a power cut. */
  syncedBytes = 0;
  /** Set once the file must not be appended to again; what it holds may still be synced. */
  retired = false;
  /** Set once a sync has failed: the handle must not be used again. */
  failed = false;
  #named = false;

  /** Makes the file, still empty. Throws what the disk throws. */
  constructor(disk: JournalDisk, number: number, createdMs: number) {
    this.#disk = disk;
    this.number = number;
    this.#header = encodeHeader(number, createdMs);
    this.#handle = disk.create(journalName(number));
  }

  /** Start value of the CRC of this file's frames. */
  get seed(): number {
    return this.#header.seed;
  }

  /** Must come before the first frame. Throws what the disk throws. */
  writeHeader(): void {
    const { bytes } = this.#header;
    this.append(bytes, bytes.length);
  }

  get dirty(): boolean {
    return this.size > this.syncedBytes;
  }

  /** Appends the first `length` of `bytes`, or nothing. Throws what the disk throws. */
  append(bytes: Uint8Array, length: number): void {
    let done = 0;
    try {
      while (done < length) {
        const taken = this.#disk.append(this.#handle, bytes, { done, length });
        if (taken <= 0) throw new Error("the disk took no bytes");
        done += taken;
      }
    } catch (error) {
      this.#undo(error);
      throw error;
    }
    this.size += length;
  }

  /** Returns when everything appended before the call survives a power cut; a failure retires the file. */
  async sync(): Promise<void> {
    const bytes = this.size;
    try {
      await this.#disk.datasync(this.#handle);
      if (!this.#named) await this.#disk.syncFolder();
    } catch (error) {
      // After a failed sync the kernel may have dropped the pages and call the next sync a success.
      this.retired = true;
      this.failed = true;
      throw error;
    }
    this.#named = true;
    this.syncedBytes = Math.max(this.syncedBytes, bytes);
  }

  close(): void {
    this.retired = true;
    this.#disk.close(this.#handle);
  }

  #undo(error: unknown): void {
    if (!isNoSpace(error)) this.retired = true;
    try {
      this.#disk.truncate(this.#handle, this.size);
    } catch {
      // The torn frame stays; whoever reads the file stops there, so nothing may follow it.
      this.retired = true;
    }
  }
}

function isNoSpace(error: unknown): boolean {
  return error instanceof Error && "code" in error && NO_SPACE_CODES.has(error.code);
}
