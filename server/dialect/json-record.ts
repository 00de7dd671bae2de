import { isRecord } from "../core/record.js";
import { nestsTooDeep } from "./json-depth.js";

const SPACE = 0x20;
const OPEN_BRACE = 0x7b;

/** A parsed text's object; undefined when it is something else, no JSON, or nested too deep to be walked through. */
export function parseRecord(text: string): Record<string, unknown> | undefined {
  // A text that begins otherwise is none, and to find that out by parsing costs an exception.
  const first = text.charCodeAt(0);
  if (first !== OPEN_BRACE && !(first <= SPACE)) return undefined;
  if (nestsTooDeep(text)) return undefined;
  try {
    const parsed: unknown = JSON.parse(text);
    return isRecord(parsed) ? parsed : undefined;
  } catch {
    return undefined;
  }
}
