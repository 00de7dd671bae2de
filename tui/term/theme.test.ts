import assert from "node:assert/strict";
import { test } from "node:test";
import { asciiGlyphs, unicodeGlyphs, type StateKind } from "./glyphs.js";
import { overlayStyle, packStyle, stateMark, themeByName, themeNames } from "./theme.js";
import { textWidth } from "./width.js";

const LEVELS = [0, 95, 135, 175, 215, 255];

/** Red, green and blue of a number of the 256-colour palette above the first sixteen. */
function rgb(color: number): number[] {
  if (color >= 232) return [0, 1, 2].map(() => 8 + 10 * (color - 232));
  const index = color - 16;
  return [Math.floor(index / 36), Math.floor(index / 6) % 6, index % 6].map((i) => LEVELS[i] ?? 0);
}

function luminance(color: readonly number[]): number {
  const [red = 0, green = 0, blue = 0] = color.map((channel) => {
    const share = channel / 255;
    return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(one: readonly number[], other: readonly number[]): number {
  const [low = 0, high = 0] = [luminance(one), luminance(other)].toSorted((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}

/** Frames and the empty part of bars are no text and may stand back. */
const DECORATION = new Set(["border", "barEmpty"]);

const BACKGROUNDS = {
  dark: [
    [0, 0, 0],
    [40, 44, 52],
  ],
  light: [
    [255, 255, 255],
    [253, 246, 227],
  ],
} as const;

for (const name of ["dark", "light"] as const) {
  test(`all text of the ${name} theme can be read on common ${name} backgrounds`, () => {
    const theme = themeByName(name);
    for (const [use, style] of Object.entries(theme.styles)) {
      if (style.fg === undefined || DECORATION.has(use)) continue;
      const backgrounds = style.bg === undefined ? BACKGROUNDS[name] : [rgb(style.bg)];
      for (const background of backgrounds) {
        const ratio = contrast(rgb(style.fg), background);
        assert.ok(
          ratio >= 4.5,
          `${use} ${style.fg} on ${background.join(",")}: ${ratio.toFixed(1)}`,
        );
      }
    }
  });
}

test("colours of charts are palette numbers above 0 in every theme", () => {
  for (const name of themeNames) {
    for (const color of themeByName(name).series) assert.ok(color > 0 && color < 256);
  }
});

test("the theme without colours has none", () => {
  for (const style of Object.values(themeByName("mono").styles)) {
    assert.equal(style.fg ?? style.bg, undefined);
  }
});

test("no two states share a symbol, in either alphabet", () => {
  const kinds: readonly StateKind[] = ["ok", "off", "partial", "warn", "fail", "done", "pending"];
  for (const glyphs of [unicodeGlyphs, asciiGlyphs]) {
    const marks = kinds.map((kind) => stateMark(kind, glyphs).glyph);
    assert.equal(new Set(marks).size, kinds.length);
  }
});

test("both alphabets have the same widths, so layouts do not move", () => {
  const flat = (value: unknown): string[] =>
    typeof value === "string" ? [value] : Object.values(Object(value) as object).flatMap(flat);
  const { spinner: _full, ...full } = unicodeGlyphs;
  const { spinner: _plain, ...plain } = asciiGlyphs;
  assert.deepEqual(flat(plain).map(textWidth), flat(full).map(textWidth));
});

test("a selection keeps the colour of what it covers unless it has its own", () => {
  const red = packStyle({ fg: 203 });
  assert.equal(overlayStyle(red, { inverse: true }), packStyle({ fg: 203, inverse: true }));
  assert.equal(overlayStyle(red, { bg: 24, fg: 255 }), packStyle({ fg: 255, bg: 24 }));
});
