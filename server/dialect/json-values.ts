import { stringEnd } from "./json-depth.js";

/**
 * Five times as many as the longest conversations with all their tools hold. Each of them costs a microsecond in which
 * no other body is translated.
 */
const VALUES_MAX = 100_000;

const QUOTE = 0x22;
const COMMA = 0x2c;

/** True for a JSON text with so many values that walking through them would hold others up. */
export function holdsTooMuch(text: string): boolean {
  // Most texts have no room for so many values with their commas.
  if (text.length <= 2 * VALUES_MAX) return false;
  let commas = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) at = stringEnd(text, at) - 1;
    else if (code === COMMA && ++commas >= VALUES_MAX) return true;
  }
  return false;
}
