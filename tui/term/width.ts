/**
 * Display width of characters, in terminal cells, as Unicode 11 terminals count it. The table
 * holds East Asian Wide and Fullwidth only: emoji never reach it, `safe()` replaces them first.
 */
const WIDE_RANGES: readonly (readonly [number, number])[] = [
  [0x1100, 0x115f],
  [0x2329, 0x232a],
  [0x2e80, 0x303e],
  [0x3041, 0x3247],
  [0x3250, 0x33ff],
  [0x3400, 0x4dbf],
  [0x4e00, 0xa4cf],
  [0xa960, 0xa97f],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe10, 0xfe19],
  [0xfe30, 0xfe6f],
  [0xff01, 0xff60],
  [0xffe0, 0xffe6],
  [0x16fe0, 0x18af2],
  [0x1b000, 0x1b2ff],
  [0x20000, 0x2fffd],
  [0x30000, 0x3fffd],
];

const ZERO_WIDTH = /^[\p{Mn}\p{Me}\p{Cf}\u1160-\u11ff]$/u;

/** True for a code point that joins the cell before it. */
function isZeroWidth(codePoint: number): boolean {
  if (codePoint < 0x300) return false;
  return ZERO_WIDTH.test(String.fromCodePoint(codePoint));
}

/** Cells taken by one code point: 0 for combining marks, 2 for East Asian wide, otherwise 1. */
export function charWidth(codePoint: number): 0 | 1 | 2 {
  if (codePoint < 0x300) return 1;
  if (isIdeograph(codePoint)) return 2;
  if (isZeroWidth(codePoint)) return 0;
  return codePoint >= 0x1100 && isWide(codePoint) ? 2 : 1;
}

/** The bulk of wide text, answered before any table is asked. */
function isIdeograph(codePoint: number): boolean {
  if (codePoint >= 0x4e00 && codePoint <= 0x9fff) return true;
  return codePoint >= 0xac00 && codePoint <= 0xd7a3;
}

function isWide(codePoint: number): boolean {
  let low = 0;
  let high = WIDE_RANGES.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const range = WIDE_RANGES[middle];
    if (range === undefined) return false;
    if (codePoint < range[0]) high = middle - 1;
    else if (codePoint > range[1]) low = middle + 1;
    else return true;
  }
  return false;
}

/** True when each UTF-16 unit is one printable ASCII cell, which most cells of a dashboard are. */
export function isPlainAscii(text: string): boolean {
  for (let i = 0; i < text.length; i += 1) {
    const unit = text.charCodeAt(i);
    if (unit < 0x20 || unit > 0x7e) return false;
  }
  return true;
}

/** Cells taken by a whole text. Expects text that went through `safe()`. */
export function textWidth(text: string): number {
  if (isPlainAscii(text)) return text.length;
  let width = 0;
  for (const char of text) width += charWidth(char.codePointAt(0) ?? 0);
  return width;
}

/** One cell's worth of text: a base character with the marks that join it. */
export interface Cluster {
  readonly text: string;
  readonly width: 1 | 2;
}

/** Splits safe text into cells. A mark without a base before it is dropped. */
export function clusters(text: string): Cluster[] {
  const found: Cluster[] = [];
  let base = "";
  let width: 1 | 2 = 1;
  for (const char of text) {
    const own = charWidth(char.codePointAt(0) ?? 0);
    if (own === 0) {
      if (base !== "") base += char;
      continue;
    }
    if (base !== "") found.push({ text: base, width });
    base = char;
    width = own;
  }
  if (base !== "") found.push({ text: base, width });
  return found;
}
