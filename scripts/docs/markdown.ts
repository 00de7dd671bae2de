/** A table in Markdown; cells must be text without line breaks. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll("|", String.raw`\|`)).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map((row) => line(row))].join("\n");
}

/** An item of a list, in lines that fit a page. */
export function bullet(text: string): string {
  const lines: string[] = [];
  let line = "-";
  for (const word of escaped(text).split(" ")) {
    if (line.length + 1 + word.length > LINE_CHARS && !BLOCK_MARK.test(word)) {
      lines.push(line);
      line = " ";
    }
    line += ` ${word}`;
  }
  return [...lines, line].join("\n");
}

/** Text in which nothing but code and what is bold is more than its words. */
function escaped(text: string): string {
  return text.replaceAll(/`[^`]*`|\*\*|[<*]/g, (found) =>
    found === "<" || found === "*" ? `\\${found}` : found,
  );
}

/** What at the beginning of a line would be the beginning of a list, a heading or a quotation. */
const BLOCK_MARK = /^(?:[-+*>]|#+|\d+[.)])$/;

/** An item with items below it; empty where it has none. */
export function sublist(head: string, items: readonly string[]): string {
  if (items.length === 0) return "";
  const lines = items.map((item) => bullet(item).replaceAll(/^/gm, "  "));
  return [bullet(head), ...lines].join("\n");
}

/** As long as a line of the pages may be, with room for the indent of a list inside a list. */
const LINE_CHARS = 116;

/** Text as code; empty stays empty. */
export function code(text: string): string {
  return text === "" ? "" : `\`${text}\``;
}

/** A figure with the unit that its name ends in: `33554432`, `bodyBytesMax` → `32 MiB`. */
export function figure(value: number, name: string): string {
  const words = name
    .replaceAll(/([a-z])([A-Z])/g, "$1_$2")
    .toLowerCase()
    .split("_");
  if (words.includes("ms")) return milliseconds(value);
  if (words.includes("bytes") || words.includes("kib")) {
    return bytes(words.includes("kib") ? value * 1024 : value);
  }
  if (words.includes("seconds")) return milliseconds(value * 1000);
  if (words.includes("chars")) return `${grouped(value)} characters`;
  if (words.includes("days")) return `${grouped(value)} days`;
  return grouped(value);
}

function milliseconds(ms: number): string {
  const units = [
    [86_400_000, "d"],
    [3_600_000, "h"],
    [60_000, "min"],
    [1000, "s"],
  ] as const;
  const unit = units.find(([size]) => ms >= size && ms % size === 0);
  return unit === undefined ? `${grouped(ms)} ms` : `${grouped(ms / unit[0])} ${unit[1]}`;
}

function bytes(count: number): string {
  const units = [
    [1 << 30, "GiB"],
    [1 << 20, "MiB"],
    [1 << 10, "KiB"],
  ] as const;
  const unit = units.find(([size]) => count >= size && count % size === 0);
  return unit === undefined ? `${grouped(count)} B` : `${grouped(count / unit[0])} ${unit[1]}`;
}

function grouped(value: number): string {
  return value.toLocaleString("en-US", { maximumFractionDigits: 3 });
}
