import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";

/** A comment and the line of code that follows it. */
interface Commented {
  readonly comment: string;
  readonly code: string;
}

/** Reads a file of the checkout. */
export function read(root: string, file: string): string {
  return readFileSync(path.join(root, file), "utf8");
}

/** Paths of the sources below a folder, without tests, sorted. */
export function sourcesBelow(root: string, folder: string): readonly string[] {
  return readdirSync(path.join(root, folder), { recursive: true, encoding: "utf8" })
    .map((file) => `${folder}/${file.split(path.sep).join("/")}`)
    .filter((file) => file.endsWith(".ts") && !/\.(test|d)\.ts$/.test(file))
    .filter((file) => !file.includes("/testing/") && !file.includes("/data/"))
    .toSorted();
}

/** Lines that match, each with the comment that stands right above it. */
export function commentedLines(text: string, wanted: RegExp): readonly Commented[] {
  const found: Commented[] = [];
  let comment: string[] = [];
  for (const line of text.split("\n")) {
    const words = /^\s*(?:\/\*\*|\*\/|\*|\/\/)\s?(.*?)\s*(?:\*\/)?$/.exec(line)?.[1];
    if (words !== undefined) {
      comment.push(words);
      continue;
    }
    if (wanted.test(line)) found.push({ comment: joined(comment), code: line.trim() });
    comment = [];
  }
  return found;
}

function joined(lines: readonly string[]): string {
  return lines
    .map((line) => line.trim())
    .filter((line) => line !== "" && line !== "/")
    .join(" ");
}
