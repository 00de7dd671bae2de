import { closeSync, openSync, writeSync } from "node:fs";
import type { ExportFile } from "../screens/view.js";

/**
 * Opens a new file that only its owner may read: a log of calls says who talked to whom. Throws an
 * Error with a sentence for people; a file that is there already is never touched.
 */
export function createExportFile(path: string): ExportFile {
  let file: number;
  try {
    file = openSync(path, "wx", 0o600);
  } catch (error) {
    throw new Error(reasonOf(path, error), { cause: error });
  }
  return {
    write: (bytes) => void writeSync(file, bytes),
    close: () => closeSync(file),
  };
}

function reasonOf(path: string, error: unknown): string {
  const code = error instanceof Error && "code" in error ? String(error.code) : "unknown";
  if (code === "EEXIST") return `${path} already exists; choose another name`;
  if (code === "ENOENT") return `the folder of ${path} does not exist`;
  if (code === "EACCES" || code === "EPERM") return `no permission to write ${path}`;
  return `${path} was not written (${code})`;
}
