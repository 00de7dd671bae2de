import { isRecord } from "../core/record.js";
import { nestsTooDeep } from "./json-depth.js";

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
