import { closeSync, fsyncSync, writeSync } from "node:fs";
import { fileProblem, openNewFile } from "./new-file.js";

/** What became of writing a secret to a file. */
export interface SecretFileResult {
  readonly ok: boolean;
  /** For the user; never contains the secret. */
  readonly message: string;
}

/** Writes a secret to a new file. No line end is added: the file holds the secret and nothing else. */
export function writeSecretFile(path: string, secret: Buffer): SecretFileResult {
  let file: number;
  try {
    file = openNewFile(path);
  } catch (error) {
    return { ok: false, message: error instanceof Error ? error.message : String(error) };
  }
  try {
    writeSync(file, secret);
    fsyncSync(file);
  } catch (error) {
    return { ok: false, message: fileProblem(path, error) };
  } finally {
    closeSync(file);
  }
  return { ok: true, message: `written to ${path} (0600)` };
}
