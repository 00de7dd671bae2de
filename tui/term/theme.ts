import type { Glyphs, StateKind } from "./glyphs.js";

/** How a cell looks. Colours are numbers of the 256-colour palette; absent means the terminal's own. */
export interface Style {
  readonly fg?: number;
  readonly bg?: number;
  readonly bold?: boolean;
  readonly underline?: boolean;
  readonly inverse?: boolean;
}

/** What a style is for. Screens name the purpose; the theme decides the look. */
export type StyleName =
  | "text"
  | "muted"
  | "strong"
  | "title"
  | "accent"
  | "border"
  | "borderFocus"
  | "header"
  | "headerSorted"
  | "selected"
  | "selectedBlurred"
  | "marked"
  | "match"
  | "ok"
  | "warn"
  | "danger"
  | "info"
  | "stale"
  | "key"
  | "keyText"
  | "disabled"
  | "input"
  | "inputFocus"
  | "placeholder"
  | "barEmpty"
  | "statusBar"
  | "statusText"
  | "tabActive"
  | "tab"
  | "modal"
  | "modalBorder"
  | "dangerBorder"
  | "button"
  | "buttonFocus"
  | "buttonDanger"
  | "toastOk"
  | "toastWarn"
  | "toastDanger";

/** Either the name of a purpose or a look of one's own. */
export type StyleRef = StyleName | Style;

/** Names a user may give to `--theme`. */
export const themeNames = ["dark", "light", "mono", "16"] as const;

/** A theme by name. */
export type ThemeName = (typeof themeNames)[number];

/** A whole colour scheme. */
export interface Theme {
  readonly name: ThemeName;
  readonly styles: Readonly<Record<StyleName, Style>>;
  /** Series colours of charts, as palette numbers: canvas widgets print rubbish for other forms. */
  readonly series: readonly number[];
  /** Axis lines and labels of charts. */
  readonly axis: number;
}

interface Palette {
  readonly muted: Style;
  readonly accent: number;
  readonly ok: number;
  readonly warn: number;
  readonly danger: number;
  readonly info: number;
  readonly border: number;
  readonly selected: Style;
  readonly selectedBlurred: Style;
  readonly input: Style;
  readonly inputFocus: Style;
  readonly barEmpty: Style;
  readonly statusBar: Style;
}

function fromPalette(palette: Palette): Record<StyleName, Style> {
  const { accent, ok, warn, danger, info, muted } = palette;
  return {
    text: {},
    muted,
    strong: { bold: true },
    title: { bold: true },
    accent: { fg: accent },
    border: { fg: palette.border },
    borderFocus: { fg: accent },
    header: { fg: accent, bold: true },
    headerSorted: { fg: accent, bold: true, underline: true },
    selected: palette.selected,
    selectedBlurred: palette.selectedBlurred,
    marked: { fg: warn, bold: true },
    match: { fg: warn, underline: true },
    ok: { fg: ok },
    warn: { fg: warn },
    danger: { fg: danger, bold: true },
    info: { fg: info },
    stale: muted,
    key: { fg: accent, bold: true },
    keyText: {},
    disabled: muted,
    input: palette.input,
    inputFocus: palette.inputFocus,
    placeholder: muted,
    barEmpty: palette.barEmpty,
    statusBar: palette.statusBar,
    statusText: palette.statusBar,
    tabActive: { fg: accent, bold: true, inverse: true },
    tab: {},
    modal: {},
    modalBorder: { fg: accent },
    dangerBorder: { fg: danger, bold: true },
    button: {},
    buttonFocus: { inverse: true, bold: true },
    buttonDanger: { fg: danger, inverse: true, bold: true },
    toastOk: { fg: ok, inverse: true },
    toastWarn: { fg: warn, inverse: true },
    toastDanger: { fg: danger, inverse: true, bold: true },
  };
}

const dark: Theme = {
  name: "dark",
  styles: fromPalette({
    muted: { fg: 247 },
    accent: 75,
    ok: 77,
    warn: 179,
    danger: 203,
    info: 80,
    border: 240,
    selected: { bg: 24, fg: 255, bold: true },
    selectedBlurred: { bg: 237 },
    input: { bg: 236 },
    inputFocus: { bg: 24, fg: 255 },
    barEmpty: { fg: 240 },
    statusBar: { bg: 236 },
  }),
  series: [75, 179, 77, 176, 80, 203],
  axis: 247,
};

const light: Theme = {
  name: "light",
  styles: fromPalette({
    muted: { fg: 242 },
    accent: 25,
    ok: 22,
    warn: 94,
    danger: 160,
    info: 23,
    border: 247,
    selected: { bg: 153, fg: 16, bold: true },
    selectedBlurred: { bg: 254 },
    input: { bg: 254 },
    inputFocus: { bg: 153, fg: 16 },
    barEmpty: { fg: 250 },
    statusBar: { bg: 254 },
  }),
  series: [25, 94, 22, 90, 23, 160],
  axis: 242,
};

const sixteen: Theme = {
  name: "16",
  styles: fromPalette({
    muted: {},
    accent: 6,
    ok: 2,
    warn: 3,
    danger: 1,
    info: 4,
    border: 6,
    selected: { inverse: true, bold: true },
    selectedBlurred: { underline: true },
    input: { underline: true },
    inputFocus: { inverse: true },
    barEmpty: {},
    statusBar: { inverse: true },
  }),
  series: [6, 3, 2, 5, 4, 1],
  axis: 7,
};

/** Without any colour everything is told apart by symbol, weight, underline and inverse. */
function withoutColour(styles: Record<StyleName, Style>): Record<StyleName, Style> {
  const plain = Object.entries(styles).map(([name, style]) => {
    const { fg: _fg, bg: _bg, ...rest } = style;
    return [name, rest];
  });
  return Object.fromEntries(plain) as Record<StyleName, Style>;
}

const mono: Theme = {
  name: "mono",
  styles: withoutColour(sixteen.styles),
  // The canvas draws with the default colour when it is given no palette number.
  series: [],
  axis: -1,
};

const THEMES: Readonly<Record<ThemeName, Theme>> = { dark, light, mono, "16": sixteen };

/** Looks a theme up by its name. */
export function themeByName(name: ThemeName): Theme {
  return THEMES[name];
}

/** Type guard for a theme name that came from a flag, a file or a command. */
export function isThemeName(name: string): name is ThemeName {
  return (themeNames as readonly string[]).includes(name);
}

const STATE_STYLES: Readonly<Record<StateKind, StyleName>> = {
  ok: "ok",
  off: "muted",
  partial: "warn",
  warn: "warn",
  fail: "danger",
  done: "ok",
  pending: "muted",
};

/** Symbol and style of a state, so that colour never carries the meaning alone. */
export function stateMark(
  kind: StateKind,
  glyphs: Glyphs,
): { readonly glyph: string; readonly style: StyleName } {
  return { glyph: glyphs[kind], style: STATE_STYLES[kind] };
}

const DEFAULT_COLOUR = 0x1ff;

/** Packs a style into the integer that blessed keeps per cell. */
export function packStyle(style: Style): number {
  const flags = (style.bold ? 1 : 0) | (style.underline ? 2 : 0) | (style.inverse ? 8 : 0);
  return (flags << 18) | ((style.fg ?? DEFAULT_COLOUR) << 9) | (style.bg ?? DEFAULT_COLOUR);
}

/** Puts the set parts of `over` on top of a packed cell, e.g. a selection on a coloured row. */
export function overlayStyle(under: number, over: Style): number {
  const flags =
    (under >> 18) | (over.bold ? 1 : 0) | (over.underline ? 2 : 0) | (over.inverse ? 8 : 0);
  const fg = over.fg ?? (under >> 9) & 0x1ff;
  const bg = over.bg ?? under & 0x1ff;
  return (flags << 18) | (fg << 9) | bg;
}
