import { code, table } from "./markdown.js";
import { read, sourcesBelow } from "./sources.js";

/** Where keys are bound, by the heading of the table's row. */
const FOLDERS = ["tui/app", "tui/screens", "tui/widgets"];
/** `{ keys: ["n"], …, description: "…" }`, with up to two lines in between. */
const WRITTEN = /keys: \[([^\]]+)\],\s*(?:action: [^,]+,\s*)?description: "([^"]+)"/g;
/** `simple(["q", "ctrl-c"], "app.quit", "quit", …)`. */
const SHORT = /simple\(\[("[^)]+?")\], "[^"]+", "([^"]+)"/g;

/** Keys of the dashboard that stand as data in its code. */
export function keyTable(root: string): string {
  const rows = FOLDERS.flatMap((folder) =>
    sourcesBelow(root, folder).flatMap((file) => {
      const text = read(root, file);
      const where = file.replace(/^tui\/\w+\//, "").replace(/\.ts$/, "");
      return [...text.matchAll(WRITTEN), ...text.matchAll(SHORT)].map(
        ([, keys = "", description = ""]) => [heading(folder, where), shown(keys), description],
      );
    }),
  );
  return table(["where", "keys", "what they do"], rows);
}

function heading(folder: string, where: string): string {
  if (folder === "tui/app") return "everywhere";
  return where.replace(/-(bindings|keymap|view)$/, "").replaceAll("-", " ");
}

function shown(keys: string): string {
  return keys
    .split(",")
    .map((key) => code(key.trim().replaceAll('"', "")))
    .filter((key) => key !== "")
    .join(" ");
}
