import type { JournalPosition } from "./ports.js";

/** Below 0 when `a` comes before `b` in the journal, 0 when they are the same place. */
export function comparePositions(a: JournalPosition, b: JournalPosition): number {
  return a.file === b.file ? a.offset - b.offset : a.file - b.file;
}

const NAME = /^journal-(\d{6,12})\.log$/;

/** The file name of a journal number, e.g. `journal-000042.log`. */
export function journalName(number: number): string {
  return `journal-${String(number).padStart(6, "0")}.log`;
}

/** The number in a journal's file name; undefined for other files. */
export function journalNumber(name: string): number | undefined {
  const digits = NAME.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** Where a file is put whose tail is no valid frame, for somebody to look at. */
export function tornName(number: number): string {
  return `journal-${String(number).padStart(6, "0")}.torn`;
}
