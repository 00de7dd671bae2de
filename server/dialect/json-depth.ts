/**
 * Deeper than anything that is said to a model or by it. Whatever walks through a parsed text, as `JSON.stringify` does,
 * ends long before the stack does.
 */
const DEPTH_MAX = 500;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const NEAR_CHARS = 16;

/** True for a JSON text that is nested too deep to be walked through. What is no JSON may be either. */
export function nestsTooDeep(text: string): boolean {
  // Most texts have no room for so many brackets.
  if (text.length <= 2 * DEPTH_MAX) return false;
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) at = stringEnd(text, at) - 1;
    else if (code === 0x7b || code === 0x5b) {
      if (++depth > DEPTH_MAX) return true;
    } else if (code === 0x7d || code === 0x5d) depth--;
  }
  return false;
}

/** One past the end of the string that begins at `start`; the end of the text where it has none. */
export function stringEnd(text: string, start: number): number {
  let at = start + 1;
  for (;;) {
    const quote = text.indexOf('"', at);
    if (quote < 0) return text.length;
    let before = quote - 1;
    while (text.charCodeAt(before) === BACKSLASH) before--;
    if ((quote - before) % 2 === 1) return quote + 1;
    at = pastEscapes(text, quote + 1);
  }
}

/** Where a quote stands, no more escapes are near, or the text ends: where there is one, a search would end at the next. */
function pastEscapes(text: string, start: number): number {
  let at = start;
  for (let near = at + NEAR_CHARS; at < near && at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) return at;
    if (code === BACKSLASH) near = ++at + NEAR_CHARS;
  }
  return at;
}
