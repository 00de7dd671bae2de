import { findPreset } from "../catalog/presets.js";
import { unreachable } from "../core/assert.js";
import { isRecord } from "../core/record.js";
import { Secret } from "../core/secret.js";
import type { ImportEntry, ImportFormat } from "./import-entry.js";
import { fieldsOfEntry, parseChannels } from "./import-json.js";

/** The forms in which variables carry secrets: OPENAI_API_KEY, GROQ_KEY_2, ANTHROPIC_AUTH_TOKEN, … */
const SECRET_VARIABLE =
  /^([A-Z][A-Z0-9_]*?)_(?:API_KEYS?|API_TOKEN|AUTH_TOKEN|ACCESS_TOKEN|SECRET_KEY|KEYS?|TOKEN)(?:_[A-Z0-9_]+)?$/;
const ASSIGNMENT = /^\s*(?:export\s+)?([A-Za-z_]\w*)\s*=\s*(.*)$/;

/** What the text most likely is. */
export function detectFormat(text: string): ImportFormat {
  const trimmed = text.trimStart();
  if (trimmed.startsWith("[") || trimmed.startsWith("{")) {
    return looksLikeChannels(trimmed) ? "ONE_API" : "JSON";
  }
  return linesOf(text).some(({ line }) => ASSIGNMENT.test(line)) ? "ENV" : "LINES";
}

/** Reads an import. Throws `invalid_argument` for JSON that cannot be read at all. */
export function parseImport(text: string, format: ImportFormat): readonly ImportEntry[] {
  switch (format) {
    case "ENV":
      return linesOf(text).flatMap(envEntries);
    case "LINES":
      return linesOf(text).map(lineEntry);
    case "JSON":
      return jsonEntries(text);
    case "ONE_API":
      return parseChannels(text);
    default:
      return unreachable(format);
  }
}

interface Line {
  readonly position: number;
  readonly line: string;
}

/** Lines that say something; `#` begins a comment. */
function linesOf(text: string): readonly Line[] {
  return text
    .split(/\r\n|\n|\r/)
    .map((line, index) => ({ position: index + 1, line: line.trim() }))
    .filter(({ line }) => line !== "" && !line.startsWith("#"));
}

/** A variable that holds no secret, such as PORT, is passed over; several secrets are separated by commas. */
function envEntries({ position, line }: Line): readonly ImportEntry[] {
  const match = ASSIGNMENT.exec(line);
  if (match === null) {
    return [{ ...EMPTY, position, problem: "is no assignment such as OPENAI_API_KEY=…" }];
  }
  const variable = match[1] ?? "";
  const vendor = SECRET_VARIABLE.exec(variable.toUpperCase())?.[1];
  if (vendor === undefined) return [];
  const values = unquote(match[2] ?? "")
    .split(",")
    .map((value) => value.trim())
    .filter((value) => value !== "");
  if (values.length === 0) {
    return [{ ...EMPTY, position, name: variable, problem: "has no value" }];
  }
  return values.map((value) => ({
    ...EMPTY,
    position,
    provider: providerOfVariable(vendor),
    name: variable,
    secret: new Secret(value),
  }));
}

/** `GOOGLE_GENERATIVE_AI` is no provider's name, but its beginning is. */
function providerOfVariable(vendor: string): string {
  const words = vendor.toLowerCase().split("_");
  for (let count = words.length; count > 0; count--) {
    const preset = findPreset(words.slice(0, count).join("-"));
    if (preset !== undefined) return preset.slug;
  }
  return words.join("-");
}

/** A value in quotes ends with them; without, a comment may follow. */
function unquote(raw: string): string {
  const quoted = /^(["'])(.*?)\1/.exec(raw);
  return quoted?.[2] ?? raw.replace(/\s#.*$/, "").trim();
}

/** `secret`, or `name secret` with a space, a comma or a tab between. */
function lineEntry({ position, line }: Line): ImportEntry {
  const parts = line.split(/[\s,]+/).filter((part) => part !== "");
  const secret = new Secret(parts.at(-1) ?? "");
  return { ...EMPTY, position, name: parts.slice(0, -1).join(" "), secret };
}

function looksLikeChannels(text: string): boolean {
  // Channels say their type as a number; no other form does.
  return /"type"\s*:\s*\d/.test(text) && /"key"\s*:/.test(text);
}

/** A list of objects, `{"data": [...]}`, or an object of secrets by provider. */
function jsonEntries(text: string): readonly ImportEntry[] {
  const entries = fieldsOfEntry.list(text);
  return entries.map((value, index) => {
    const position = index + 1;
    if (!isRecord(value)) return { ...EMPTY, position, problem: "is no object" };
    return { ...EMPTY, ...fieldsOfEntry.read(value), position };
  });
}

const EMPTY = { position: 0, provider: "", baseUrl: "", name: "", secret: new Secret("") };
