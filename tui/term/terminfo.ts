import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import blessed from "blessed";

interface TputPrototype {
  readonly terminal: string;
  readTerminfo(this: TputPrototype, term?: string): unknown;
  parseTerminfo(data: Buffer, file: string): unknown;
}

const BUNDLED = new Set(["xterm-256color", "xterm", "linux"]);

/**
 * Makes blessed read only the terminfo files it ships with. Its parser skips over the magic number
 * of the 32-bit format, in which current systems keep nearly all entries, and reads rubbish: eight
 * colours in tmux, stray messages on standard error. Calling it again changes nothing.
 */
export function useBundledTerminfo(): void {
  const folder = join(
    dirname(createRequire(import.meta.url).resolve("blessed/package.json")),
    "usr",
  );
  const prototype = tputPrototype();
  prototype.readTerminfo = function readBundled(this: TputPrototype, term?: string): unknown {
    const wanted = term ?? this.terminal;
    const file = join(folder, BUNDLED.has(wanted) ? wanted : "xterm");
    return this.parseTerminfo(readFileSync(file), file);
  };
}

function tputPrototype(): TputPrototype {
  const library = blessed as unknown as { Tput: { prototype: TputPrototype } };
  return library.Tput.prototype;
}
