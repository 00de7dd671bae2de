import type { CallRecord } from "../core/call.js";
import type { Logger } from "../core/logger.js";
import type { JournalDisk } from "./journal-disk.js";
import { HEADER_BYTES, scanFrames } from "./journal-frames.js";
import { comparePositions, journalName } from "./journal-position.js";
import { headerSeed, SLICE_BYTES } from "./journal-recovery.js";
import type { JournalPosition } from "./ports.js";

/** Gets each finished call with the place behind its frame. */
export type CallVisitor = (record: CallRecord, position: JournalPosition) => void;

export interface ReaderOptions {
  readonly disk: JournalDisk;
  readonly logger: Logger;
  /** Numbers of the files that exist, rising. */
  readonly files: () => readonly number[];
  /** Where the journal ends now; nothing behind it is read. */
  readonly end: () => JournalPosition;
}

/** Reads finished calls back from the journal's files, across files, in the order in which they were written. */
export class JournalReader {
  readonly #options: ReaderOptions;
  #seedOf: { readonly file: number; readonly seed: number | undefined } | undefined;

  constructor(options: ReaderOptions) {
    this.#options = options;
  }

  /** Visits up to `max` calls behind `from`. Answers where to go on: the journal's end when all is read. */
  async read(from: JournalPosition, max: number, visit: CallVisitor): Promise<JournalPosition> {
    const end = this.#options.end();
    const calls = { left: max };
    const visitOne = (record: CallRecord, position: JournalPosition): boolean => {
      visit(record, position);
      calls.left -= 1;
      return calls.left > 0;
    };
    let at = from;
    while (calls.left > 0 && comparePositions(at, end) < 0) {
      const seed = await this.#seed(at.file);
      const next = seed === undefined ? undefined : await this.#slice({ at, end, seed }, visitOne);
      at = next ?? this.#behind(at, end);
    }
    return at;
  }

  /** Reads one slice, until `visit` says false; undefined when no whole valid frame starts at `at`. */
  async #slice(
    place: { at: JournalPosition; end: JournalPosition; seed: number },
    visit: (record: CallRecord, position: JournalPosition) => boolean,
  ): Promise<JournalPosition | undefined> {
    const { at, end, seed } = place;
    const offset = Math.max(at.offset, HEADER_BYTES);
    const limit = at.file === end.file ? end.offset - offset : SLICE_BYTES;
    if (limit <= 0) return at.file === end.file ? end : undefined;
    const length = Math.min(SLICE_BYTES, limit);
    const bytes = await this.#bytes(at.file, offset, length);
    const { next } = scanFrames({
      bytes,
      seed,
      wanted: "finished",
      visit: (entry, endOffset) => {
        if (entry.kind !== "finish") return true;
        return visit(entry.record, { file: at.file, offset: offset + endOffset });
      },
    });
    if (next > 0) return { file: at.file, offset: offset + next };
    if (bytes.length > 0) {
      this.#options.logger.warn(
        { journal: at.file, offset, bytes: bytes.length },
        "journal file goes on with something that is no valid frame; skipped to the next file",
      );
    }
    return undefined;
  }

  /** The start of the next file, or the journal's end when there is none. */
  #behind(at: JournalPosition, end: JournalPosition): JournalPosition {
    const file = this.#options.files().find((number) => number > at.file);
    if (file === undefined || file > end.file) return end;
    return { file, offset: HEADER_BYTES };
  }

  async #seed(file: number): Promise<number | undefined> {
    if (this.#seedOf?.file === file) return this.#seedOf.seed;
    if (!this.#options.files().includes(file)) return undefined;
    const seed = headerSeed(await this.#bytes(file, 0, HEADER_BYTES), journalName(file));
    this.#seedOf = { file, seed };
    return seed;
  }

  /** A file that somebody has removed counts as empty; waiting for it would stop the recording for ever. */
  async #bytes(file: number, offset: number, length: number): Promise<Uint8Array> {
    try {
      return await this.#options.disk.read(journalName(file), offset, length);
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
      this.#options.logger.error({ journal: file }, "a journal file is gone; its calls are lost");
      return new Uint8Array();
    }
  }
}
