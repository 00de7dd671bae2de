import { asciiGlyphs, unicodeGlyphs, type Glyphs } from "./glyphs.js";
import { isThemeName, themeByName, type Theme, type ThemeName } from "./theme.js";

/** The variables of a process, as far as the terminal layer reads them. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** What the user asked for on the command line or in the configuration. */
export interface DisplayWishes {
  /** `--unicode` and `--ascii`; absent or `auto` looks at the environment. */
  readonly unicode?: "auto" | "unicode" | "ascii";
  readonly theme?: "auto" | ThemeName;
}

/** What this terminal can do and how the dashboard will draw on it. */
export interface Display {
  /** `TERM` as it was found, for the help page. */
  readonly term: string;
  /** The bundled terminfo entry that blessed is told to use. */
  readonly terminfo: "xterm-256color" | "xterm" | "linux";
  /** 256, 16, 8 or 0 colours. */
  readonly colors: number;
  /** False when only ASCII may be sent. */
  readonly unicode: boolean;
  readonly glyphs: Glyphs;
  readonly theme: Theme;
  /** The terminal understands synchronised updates (`?2026`). */
  readonly synchronised: boolean;
}

const MODERN =
  /256color|kitty|ghostty|alacritty|foot|wezterm|contour|rio|iterm|direct|^xterm-|^tmux|^screen/;
const SYNCHRONISED = /kitty|ghostty|alacritty|foot|wezterm|contour|rio|iterm/;
const COLOURLESS = /^(dumb|unknown|vt\d|ansi-m|lpr|$)/;
const POOR_FONT = /^(linux|dumb|vt\d|cons|unknown|$)/;

/** Decides all of it from the environment and the user's wishes; never asks the terminal. */
export function detectDisplay(env: Environment, wishes: DisplayWishes = {}): Display {
  const term = (env["TERM"] ?? "").toLowerCase();
  const terminfo = chooseTerminfo(term, env);
  const colors = countColors(term, terminfo);
  const unicode = wantsUnicode(term, env, wishes);
  const forced = forcedUnicode(env, wishes) !== undefined;
  // The console font of Linux has box lines but neither braille nor most symbols.
  const glyphs = unicode && (forced || !POOR_FONT.test(term)) ? unicodeGlyphs : asciiGlyphs;
  return {
    term: env["TERM"] ?? "",
    terminfo,
    colors,
    unicode,
    glyphs,
    theme: chooseTheme(colors, env, wishes),
    synchronised: SYNCHRONISED.test(`${term} ${(env["TERM_PROGRAM"] ?? "").toLowerCase()}`),
  };
}

/*
 * blessed misreads entries with 32-bit numbers, which ncurses has written for all modern terminals
 * since 6.1, and then falls to eight colours. The three bundled files are in the old format.
 */
function chooseTerminfo(term: string, env: Environment): Display["terminfo"] {
  if (term === "linux") return "linux";
  if (COLOURLESS.test(term)) return "xterm";
  if (MODERN.test(term) || (env["COLORTERM"] ?? "") !== "") return "xterm-256color";
  return "xterm";
}

function countColors(term: string, terminfo: Display["terminfo"]): number {
  if (COLOURLESS.test(term)) return 0;
  return terminfo === "xterm-256color" ? 256 : 8;
}

function forcedUnicode(env: Environment, wishes: DisplayWishes): boolean | undefined {
  if (wishes.unicode === "unicode") return true;
  if (wishes.unicode === "ascii") return false;
  const setting = env["LATCHKEY_UNICODE"];
  if (setting === "1" || setting === "unicode") return true;
  if (setting === "0" || setting === "ascii") return false;
  return undefined;
}

/*
 * Over SSH and in containers LANG is often empty although the terminal shows UTF-8 well, so the
 * kind of terminal counts as much as the locale. A locale that names another charset wins.
 */
function wantsUnicode(term: string, env: Environment, wishes: DisplayWishes): boolean {
  const forced = forcedUnicode(env, wishes);
  if (forced !== undefined) return forced;
  const locale = env["LC_ALL"] || env["LC_CTYPE"] || env["LANG"] || "";
  if (/utf-?8/i.test(locale)) return true;
  if (/\.(?!utf)/i.test(locale)) return false;
  if ((env["TMUX"] ?? "") !== "") return true;
  return MODERN.test(term) && !COLOURLESS.test(term);
}

function chooseTheme(colors: number, env: Environment, wishes: DisplayWishes): Theme {
  if ((env["NO_COLOR"] ?? "") !== "") return themeByName("mono");
  if (wishes.theme !== undefined && wishes.theme !== "auto") return themeByName(wishes.theme);
  const named = env["LATCHKEY_THEME"] ?? "";
  if (isThemeName(named)) return themeByName(named);
  if (colors === 0) return themeByName("mono");
  if (colors < 256) return themeByName("16");
  return themeByName(hasLightBackground(env) ? "light" : "dark");
}

/** `COLORFGBG` is "foreground;background" in the 16-colour palette; 7 and 15 are the whites. */
function hasLightBackground(env: Environment): boolean {
  const background = (env["COLORFGBG"] ?? "").split(";").at(-1);
  return background === "7" || background === "15";
}
