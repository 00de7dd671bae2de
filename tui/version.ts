import { createRequire } from "node:module";

/** Of the package, whether it runs from the sources' build or from an installation. */
export const VERSION: string = packageVersion();

function packageVersion(): string {
  const require = createRequire(import.meta.url);
  // Compiled, this file is in dist/tui.
  const { version } = require("../../package.json") as { version: string };
  return version;
}
