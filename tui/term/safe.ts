import { charWidth, clusters, isPlainAscii, textWidth } from "./width.js";

/** Longest text taken from one field, in UTF-16 units; the rest could not be shown anyway. */
const safeTextUnitsMax = 4096;

/** Marks kept on one base character; more only serve to paint over the neighbouring rows. */
export const combiningMarksMax = 4;

/** Stands for a character that is dropped because terminals disagree about its width. */
export const replacementChar = "\u25a1";

/*
 * One emoji sequence, however many code points it is glued from. Terminals disagree by several
 * cells about joined sequences, flags and skin tones, so each becomes a single replacement.
 */
const EMOJI_SEQUENCE =
  /(?:[\p{Emoji_Presentation}\u{1f000}-\u{1faff}]|\p{Extended_Pictographic}\ufe0f)(?:[\ufe0e\ufe0f\p{Emoji_Modifier}\u{1f1e6}-\u{1f1ff}]|\u200d[\p{Extended_Pictographic}\p{Emoji_Presentation}])*/gu;

/** White space of any kind becomes one plain blank, so a text stays on its row. */
const SPACES = /[\t\n\v\f\r\u0085\p{Zs}\p{Zl}\p{Zp}]/gu;

/*
 * Never printed: controls (C0, DEL, C1), format characters (bidi overrides and isolates, zero
 * width, soft hyphen, tags, joiners), variation selectors, enclosing marks.
 */
const FORBIDDEN = /[\p{Cc}\p{Cf}\p{Me}\ufe00-\ufe0f\u{e0100}-\u{e01ef}\u115f\u1160\u3164\uffa0]/gu;

/** Lone surrogates, private use and unassigned code points have no agreed width. */
const UNKNOWN = /[\p{Cs}\p{Co}\p{Cn}]/gu;

/*
 * Characters that Unicode added or changed after version 11. Terminals with older and newer tables
 * give them different widths, and one wrong width shifts the whole row. Marks outside the basic
 * plane belong to scripts that terminals cannot shape anyway.
 */
const DISPUTED_RANGES = [
  "\\u0897-\\u089f\\u08ca-\\u08d2\\u0b55\\u0c3c\\u0d81\\u0ece\\u1734\\u180f\\u1abf-\\u1add\\u1ae0-\\u1aeb",
  "\\u1dfa\\u2ffc-\\u2fff\\u31bb-\\u31bf\\u31e4-\\u31ef\\ua82c\\u{16fe4}\\u{16ff0}-\\u{16ff6}",
  "\\u{187f8}-\\u{187ff}\\u{18af3}-\\u{18aff}\\u{1b11f}-\\u{1b16f}",
].join("");

const DISPUTED = new RegExp(`[${DISPUTED_RANGES}]|(?=[\\u{10000}-\\u{e0fff}])\\p{M}`, "gu");

const EXCESS_MARKS = new RegExp(`(\\p{M}{${combiningMarksMax}})\\p{M}+`, "gu");

/**
 * Makes text from outside printable on one row: no control, escape, bidi or zero-width character
 * is left, emoji become a replacement, stacked marks are capped, length is capped. Every text
 * that is painted passes here; call it yourself only where text leaves by another way.
 */
export function safe(text: string): string {
  const bounded = text.length > safeTextUnitsMax ? text.slice(0, safeTextUnitsMax) : text;
  if (isPlainAscii(bounded)) return bounded;
  return bounded
    .replace(EMOJI_SEQUENCE, replacementChar)
    .replace(SPACES, " ")
    .replace(FORBIDDEN, "")
    .normalize("NFC")
    .replace(UNKNOWN, replacementChar)
    .replace(DISPUTED, replacementChar)
    .replace(EXCESS_MARKS, "$1");
}

const TRANSLITERATION: Readonly<Record<string, string>> = {
  "\u2018": "'",
  "\u2019": "'",
  "\u201c": '"',
  "\u201d": '"',
  "\u2013": "-",
  "\u2014": "-",
  "\u2026": ".",
  "\u2190": "<",
  "\u2192": ">",
  "\u00b7": ".",
  "\u2022": "*",
  "\u00d7": "x",
};

/** Keeps the width of a safe text while leaving only ASCII, for terminals without UTF-8. */
export function asciiOnly(text: string): string {
  if (isPlainAscii(text)) return text;
  return clusters(text)
    .map((cluster) => asciiCluster(cluster.text, cluster.width))
    .join("");
}

function asciiCluster(text: string, width: number): string {
  if (isPlainAscii(text)) return text;
  const known = TRANSLITERATION[text];
  if (known !== undefined) return known;
  const stripped = text.normalize("NFD").replace(/\p{M}/gu, "");
  if (stripped.length === 1 && isPlainAscii(stripped)) return stripped;
  return "?".repeat(width);
}

/** Cuts safe text to at most `width` cells and ends it with `ellipsis` when something was cut. */
export function cut(text: string, width: number, ellipsis = "\u2026"): string {
  if (width <= 0) return "";
  if (textWidth(text) <= width) return text;
  const room = width - textWidth(ellipsis);
  if (room < 0) return takeWidth(text, width);
  return takeWidth(text, room) + ellipsis;
}

/** The longest beginning of a safe text that fits in `width` cells; never half a character. */
export function takeWidth(text: string, width: number): string {
  if (isPlainAscii(text)) return text.slice(0, Math.max(0, width));
  let used = 0;
  let taken = "";
  for (const char of text) {
    const own = charWidth(char.codePointAt(0) ?? 0);
    if (used + own > width) break;
    used += own;
    taken += char;
  }
  return taken;
}

/** Where text sits in a field that is wider than it. */
export type Align = "left" | "right" | "center";

/** Brings safe text to exactly `width` cells: cut when too long, filled with blanks when short. */
export function fit(text: string, width: number, align: Align = "left", ellipsis?: string): string {
  const short = cut(text, width, ellipsis);
  const gap = Math.max(0, width - textWidth(short));
  if (gap === 0) return short;
  if (align === "left") return short + " ".repeat(gap);
  if (align === "right") return " ".repeat(gap) + short;
  const left = gap >> 1;
  return " ".repeat(left) + short + " ".repeat(gap - left);
}

/** Breaks safe text at blanks into rows of at most `width` cells; long words are split. */
export function wrap(text: string, width: number): string[] {
  if (width <= 0) return [];
  const rows: string[] = [];
  let row = "";
  for (const word of text.split(" ")) {
    const joined = row === "" ? word : `${row} ${word}`;
    if (textWidth(joined) <= width) {
      row = joined;
      continue;
    }
    if (row !== "") rows.push(row);
    row = word;
    while (textWidth(row) > width) {
      const head = takeWidth(row, width);
      // A wide character in a one-cell column would never get shorter.
      if (head === "") return rows;
      rows.push(head);
      row = row.slice(head.length);
    }
  }
  rows.push(row);
  return rows;
}
