import { closeSync, writeSync } from "node:fs";
import type { ExportFile } from "../screens/view.js";
import { openNewFile } from "../term/new-file.js";

/** Opens a new file for a log of calls, which says who talked to whom. Throws as `openNewFile` does. */
export function createExportFile(path: string): ExportFile {
  const file = openNewFile(path);
  return {
    write: (bytes) => void writeSync(file, bytes),
    close: () => closeSync(file),
  };
}
