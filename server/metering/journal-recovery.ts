import type { BegunCall } from "../core/call.js";
import { Fault } from "../core/fault.js";
import type { JournalDisk } from "./journal-disk.js";
import {
  decodeHeader,
  FRAME_BYTES_MAX,
  HEADER_BYTES,
  scanFrames,
  type JournalEntry,
} from "./journal-frames.js";
import { journalName, journalNumber } from "./journal-position.js";
import type { JournalPosition } from "./ports.js";

/** Bytes read at once; at least one whole frame fits. */
export const SLICE_BYTES = 2 * FRAME_BYTES_MAX;

/** What an earlier run of the process left in the folder. */
export interface RecoveredJournal {
  /** The files that may hold calls the database lacks, by rising number, with their sizes in bytes. */
  readonly files: ReadonlyMap<number, number>;
  /** Numbers of files that the database holds whole. */
  readonly drained: readonly number[];
  /** Calls that began and have no end in the journal. */
  readonly orphans: readonly BegunCall[];
  /** Files whose tail is no valid frame: where the good part ends and how long the file is. */
  readonly torn: readonly TornFile[];
  /** The number for the next file; above all that exist and above the database's position. */
  readonly nextNumber: number;
}

export interface TornFile {
  readonly number: number;
  readonly goodBytes: number;
  readonly fileBytes: number;
}

/**
 * Looks through the journal from the file of `after` on. A file ends at its first bad frame. The calls
 * that are open at the start of a file stand at its head, so older files need not be read for them.
 * Throws Fault `data_folder_unusable` or `database_newer`.
 */
export async function recoverJournal(
  disk: JournalDisk,
  after: JournalPosition | undefined,
): Promise<RecoveredJournal> {
  const sizes = await listJournals(disk);
  const all = [...sizes.keys()].toSorted((a, b) => a - b);
  const files = all.filter((number) => after === undefined || number >= after.file);
  const open = new Map<string, BegunCall>();
  const torn: TornFile[] = [];
  for (const number of files) {
    const goodBytes = await scanFile(disk, number, (entry) => {
      if (entry.kind === "begin") open.set(entry.call.id, entry.call);
      if (entry.kind === "end") open.delete(entry.id);
    }).catch((error: unknown) => {
      throw unreadable(`file ${journalName(number)}`, error);
    });
    const fileBytes = sizes.get(number) ?? 0;
    if (goodBytes < fileBytes) torn.push({ number, goodBytes, fileBytes });
  }
  return {
    files: new Map(files.map((number) => [number, sizes.get(number) ?? 0])),
    drained: all.filter((number) => !files.includes(number)),
    orphans: [...open.values()],
    torn,
    nextNumber: Math.max(0, after?.file ?? 0, all.at(-1) ?? 0) + 1,
  };
}

/** Bytes up to the end of the last valid frame; visits every entry on the way. */
async function scanFile(
  disk: JournalDisk,
  number: number,
  visit: (entry: JournalEntry) => void,
): Promise<number> {
  const name = journalName(number);
  const seed = headerSeed(await disk.read(name, 0, HEADER_BYTES), name);
  if (seed === undefined) return 0;
  let offset = HEADER_BYTES;
  for (;;) {
    const bytes = await disk.read(name, offset, SLICE_BYTES);
    const { next } = scanFrames({
      bytes,
      seed,
      wanted: "open",
      visit: (entry) => {
        visit(entry);
        return true;
      },
    });
    if (next === 0) return offset;
    offset += next;
  }
}

/** The seed of a file's frames; undefined when its header is torn. Throws Fault `database_newer`. */
export function headerSeed(bytes: Uint8Array, name: string): number | undefined {
  const header = decodeHeader(bytes);
  if (header === "bad") return undefined;
  if (header !== "newer") return header.seed;
  throw new Fault(
    "database_newer",
    `The journal file ${name} was written by a newer Latchkey; start that version, or an even newer one.`,
  );
}

async function listJournals(disk: JournalDisk): Promise<Map<number, number>> {
  try {
    const sizes = new Map<number, number>();
    for (const { name, size } of await disk.list()) {
      const number = journalNumber(name);
      if (number !== undefined) sizes.set(number, size);
    }
    return sizes;
  } catch (error) {
    throw unreadable("folder", error);
  }
}

function unreadable(what: string, cause: unknown): Fault {
  if (cause instanceof Fault) return cause;
  return new Fault(
    "data_folder_unusable",
    `The journal ${what} cannot be read; check its owner and permissions, and the disk.`,
    { cause },
  );
}
