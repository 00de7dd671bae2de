import { chmodSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";

/** Keeps a session's token in a file that only its owner can read. */
export function storeToken(file: string, token: string): void {
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  writeFileSync(file, `${token}\n`, { mode: 0o600 });
  // The mode above holds for new files only.
  chmodSync(file, 0o600);
}

export function forgetToken(file: string): void {
  rmSync(file, { force: true });
}
