import { openSync } from "node:fs";

/**
 * Opens a new file that only its owner may read. An existing file is never touched, whoever made it. Throws an Error with
 * a sentence for people.
 */
export function openNewFile(path: string): number {
  try {
    // "wx" is O_CREAT | O_EXCL: it also refuses to follow a link that someone laid out.
    return openSync(path, "wx", 0o600);
  } catch (error) {
    throw new Error(fileProblem(path, error), { cause: error });
  }
}

/** Why a file was not written, in a sentence for people. */
export function fileProblem(path: string, error: unknown): string {
  const code = error instanceof Error && "code" in error ? String(error.code) : "unknown";
  if (code === "EEXIST") return `${path} already exists; choose another name`;
  if (code === "ENOENT") return `the folder of ${path} does not exist`;
  if (code === "EACCES" || code === "EPERM") return `no permission to write ${path}`;
  return `${path} was not written (${code})`;
}
