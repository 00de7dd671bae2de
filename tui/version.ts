import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

/** Of the package that this file belongs to, wherever its build lies. */
export const VERSION: string = packageVersion(path.dirname(fileURLToPath(import.meta.url)));

function packageVersion(folder: string): string {
  const file = path.join(folder, "package.json");
  if (!existsSync(file)) return packageVersion(path.dirname(folder));
  const { version } = JSON.parse(readFileSync(file, "utf8")) as { version: string };
  return version;
}
