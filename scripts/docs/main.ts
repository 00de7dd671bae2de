import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { TABLES } from "./tables.js";

/** Pages that may hold tables from the code. */
export function pages(root: string): readonly string[] {
  return readdirSync(path.join(root, "docs"))
    .filter((file) => file.endsWith(".md"))
    .map((file) => `docs/${file}`);
}

/**
 * The text with each table between `<!-- table: NAME -->` and `<!-- end -->` as the code has it now.
 * Throws an Error for a name that no table has.
 */
export function filled(text: string, root: string): string {
  return text.replaceAll(
    /(<!-- table: (\w+) -->\n)[\s\S]*?(<!-- end -->)/g,
    (_, start: string, name: string, end: string) => {
      const make = TABLES[name];
      if (make === undefined) throw new Error(`there is no table ${name}`);
      return `${start}\n${make(root)}\n\n${end}`;
    },
  );
}

/** Tables compare by their cells: the formatter pads them. */
export function unpadded(text: string): string {
  return text.replaceAll(/-{3,}/g, "---").replaceAll(/ +\|/g, " |");
}

/** Writes all tables anew. */
export function main(root: string): void {
  for (const page of pages(root)) {
    const file = path.join(root, page);
    const text = readFileSync(file, "utf8");
    writeFileSync(file, filled(text, root));
  }
}
