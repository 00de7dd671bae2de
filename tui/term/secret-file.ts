import { closeSync, fsyncSync, openSync, writeSync } from "node:fs";

/** What became of writing a secret to a file. */
export interface SecretFileResult {
  readonly ok: boolean;
  /** For the user; never contains the secret. */
  readonly message: string;
}

/**
 * Writes a secret to a new file that only its owner may read. An existing file is never touched,
 * whoever made it. No line end is added: the file holds the secret and nothing else.
 */
export function writeSecretFile(path: string, secret: Buffer): SecretFileResult {
  let file: number;
  try {
    // "wx" is O_CREAT | O_EXCL: it also refuses to follow a link that someone laid out.
    file = openSync(path, "wx", 0o600);
  } catch (error) {
    return { ok: false, message: reason(path, error) };
  }
  try {
    writeSync(file, secret);
    fsyncSync(file);
  } catch (error) {
    return { ok: false, message: reason(path, error) };
  } finally {
    closeSync(file);
  }
  return { ok: true, message: `written to ${path} (0600)` };
}

function reason(path: string, error: unknown): string {
  const code = error instanceof Error && "code" in error ? String(error.code) : "unknown";
  if (code === "EEXIST") return `${path} already exists; choose another name`;
  if (code === "ENOENT") return `the folder of ${path} does not exist`;
  if (code === "EACCES" || code === "EPERM") return `no permission to write ${path}`;
  return `${path} was not written (${code})`;
}
