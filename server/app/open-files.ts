import { readFileSync } from "node:fs";

/** A call takes two of them: the caller's connection and the provider's. */
const FILES_PER_CALLER = 2;

/** How many files and sockets this process may have open; undefined where the system does not tell, or sets no limit. */
export function openFilesMax(): number | undefined {
  try {
    return openFilesIn(readFileSync("/proc/self/limits", "utf8"));
  } catch {
    // Only Linux has that file.
    return undefined;
  }
}

/** Of the limits of a process as Linux writes them. */
export function openFilesIn(limits: string): number | undefined {
  const soft = /^Max open files\s+(\d+)/m.exec(limits)?.[1];
  return soft === undefined ? undefined : Number(soft);
}

/** How many callers' connections so many files are enough for. */
export function callersFor(openFiles: number): number {
  return Math.floor(openFiles / FILES_PER_CALLER);
}
