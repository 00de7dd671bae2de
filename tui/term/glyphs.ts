/** The symbols of the dashboard. Screens name a symbol, never write the character. */
export interface Glyphs {
  readonly ok: string;
  readonly off: string;
  readonly partial: string;
  readonly warn: string;
  readonly fail: string;
  readonly done: string;
  readonly pending: string;
  readonly pointer: string;
  readonly mark: string;
  readonly sortUp: string;
  readonly sortDown: string;
  readonly ellipsis: string;
  readonly arrow: string;
  readonly crumb: string;
  readonly dropDown: string;
  readonly bullet: string;
  readonly mask: string;
  readonly separator: string;
  readonly barFull: string;
  readonly barEmpty: string;
  readonly radioOn: string;
  readonly radioOff: string;
  readonly checkOn: string;
  readonly checkOff: string;
  /** Eight heights, lowest first. */
  readonly spark: readonly string[];
  readonly spinner: readonly string[];
  readonly box: BoxGlyphs;
  /** True when braille cells may be drawn, which line charts of blessed-contrib need. */
  readonly braille: boolean;
}

/** Lines and corners of a frame. */
export interface BoxGlyphs {
  readonly horizontal: string;
  readonly vertical: string;
  readonly topLeft: string;
  readonly topRight: string;
  readonly bottomLeft: string;
  readonly bottomRight: string;
}

/** Symbols for terminals with a full font; every one is a single cell wide. */
export const unicodeGlyphs: Glyphs = {
  ok: "●",
  off: "○",
  partial: "◐",
  warn: "▲",
  fail: "✖",
  done: "✓",
  pending: "·",
  pointer: "▸",
  mark: "*",
  sortUp: "▲",
  sortDown: "▼",
  ellipsis: "…",
  arrow: "→",
  crumb: "▸",
  dropDown: "▾",
  bullet: "·",
  mask: "•",
  separator: "│",
  barFull: "█",
  barEmpty: "░",
  radioOn: "(•)",
  radioOff: "( )",
  checkOn: "[✓]",
  checkOff: "[ ]",
  spark: ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"],
  spinner: ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"],
  box: {
    horizontal: "─",
    vertical: "│",
    topLeft: "┌",
    topRight: "┐",
    bottomLeft: "└",
    bottomRight: "┘",
  },
  braille: true,
};

/** Replacements with the same widths for terminals that can show only ASCII. */
export const asciiGlyphs: Glyphs = {
  ok: "*",
  off: "o",
  partial: "%",
  warn: "!",
  fail: "x",
  done: "+",
  pending: ".",
  pointer: ">",
  mark: "*",
  sortUp: "^",
  sortDown: "v",
  ellipsis: "~",
  arrow: ">",
  crumb: ">",
  dropDown: "v",
  bullet: ".",
  mask: "*",
  separator: "|",
  barFull: "#",
  barEmpty: "-",
  radioOn: "(*)",
  radioOff: "( )",
  checkOn: "[x]",
  checkOff: "[ ]",
  spark: ["_", ".", ".", ":", "-", "=", "+", "#"],
  spinner: ["|", "/", "-", "\\"],
  box: {
    horizontal: "-",
    vertical: "|",
    topLeft: "+",
    topRight: "+",
    bottomLeft: "+",
    bottomRight: "+",
  },
  braille: false,
};

/** A state of health as the dashboard shows it: symbol and colour always come together. */
export type StateKind = "ok" | "off" | "partial" | "warn" | "fail" | "done" | "pending";
