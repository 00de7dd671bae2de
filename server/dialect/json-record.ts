import { nestsTooDeep } from "./json-depth.js";

/** A JSON object, as opposed to null, an array or a plain value. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A parsed text's object; undefined when it is something else, no JSON, or nested too deep to be walked through. */
export function parseRecord(text: string): Record<string, unknown> | undefined {
  if (nestsTooDeep(text)) return undefined;
  try {
    const parsed: unknown = JSON.parse(text);
    return isRecord(parsed) ? parsed : undefined;
  } catch {
    return undefined;
  }
}
