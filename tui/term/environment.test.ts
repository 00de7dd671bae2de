import assert from "node:assert/strict";
import { test } from "node:test";
import { detectDisplay, type DisplayWishes, type Environment } from "./environment.js";

function facts(env: Environment, wishes: DisplayWishes = {}): string {
  const display = detectDisplay(env, wishes);
  const text = display.unicode ? "utf8" : "ascii";
  const glyphs = display.glyphs.braille ? "full" : "plain";
  return `${display.terminfo} ${display.colors} ${text} ${glyphs} ${display.theme.name}`;
}

test("each kind of terminal gets the colours, text and symbols it can show", () => {
  const utf8 = { LANG: "C.UTF-8" };
  const cases: readonly (readonly [Environment, string])[] = [
    [{ ...utf8, TERM: "xterm-256color" }, "xterm-256color 256 utf8 full dark"],
    [{ ...utf8, TERM: "screen-256color" }, "xterm-256color 256 utf8 full dark"],
    [{ ...utf8, TERM: "tmux-256color" }, "xterm-256color 256 utf8 full dark"],
    [{ ...utf8, TERM: "xterm-kitty" }, "xterm-256color 256 utf8 full dark"],
    [{ ...utf8, TERM: "xterm-ghostty" }, "xterm-256color 256 utf8 full dark"],
    [{ ...utf8, TERM: "alacritty" }, "xterm-256color 256 utf8 full dark"],
    [{ ...utf8, TERM: "foot" }, "xterm-256color 256 utf8 full dark"],
    [{ ...utf8, TERM: "xterm" }, "xterm 8 utf8 full 16"],
    [{ ...utf8, TERM: "xterm", COLORTERM: "truecolor" }, "xterm-256color 256 utf8 full dark"],
    [{ ...utf8, TERM: "linux" }, "linux 8 utf8 plain 16"],
    [{ ...utf8, TERM: "vt100" }, "xterm 0 utf8 plain mono"],
    [{ ...utf8, TERM: "dumb" }, "xterm 0 utf8 plain mono"],
    [utf8, "xterm 0 utf8 plain mono"],
  ];
  for (const [env, expected] of cases) assert.equal(facts(env), expected, env["TERM"]);
});

test("without a locale the kind of terminal decides about UTF-8", () => {
  assert.match(facts({ TERM: "xterm-256color" }), /utf8 full/);
  assert.match(facts({ TERM: "screen", TMUX: "/tmp/tmux-0/default,1,0" }), /utf8 full/);
  assert.match(facts({ TERM: "xterm" }), /ascii plain/);
  assert.match(facts({ TERM: "linux" }), /ascii plain/);
  assert.match(facts({ TERM: "vt100" }), /ascii plain/);
});

test("a locale with another charset means ASCII, LANG=C alone does not", () => {
  assert.match(facts({ TERM: "xterm-256color", LANG: "de_DE.ISO-8859-1" }), /ascii plain/);
  assert.match(facts({ TERM: "xterm-256color", LANG: "C" }), /utf8 full/);
  assert.match(facts({ TERM: "xterm", LANG: "C" }), /ascii plain/);
  assert.match(
    facts({ TERM: "xterm-256color", LANG: "C.UTF-8", LC_ALL: "de_DE.ISO-8859-1" }),
    /ascii/,
  );
});

test("flags win over the variable, the variable over what is found", () => {
  const env = { TERM: "xterm-256color", LANG: "C.UTF-8" };
  assert.match(facts({ ...env, LATCHKEY_UNICODE: "0" }), /ascii plain/);
  assert.match(facts({ TERM: "linux", LATCHKEY_UNICODE: "1" }), /utf8 full/);
  assert.match(facts({ ...env, LATCHKEY_UNICODE: "0" }, { unicode: "unicode" }), /utf8 full/);
  assert.match(facts(env, { unicode: "ascii" }), /ascii plain/);
  assert.match(facts({ ...env, LATCHKEY_UNICODE: "auto" }), /utf8 full/);
});

test("NO_COLOR wins over every wish for a theme", () => {
  const env = { TERM: "xterm-256color", LANG: "C.UTF-8", NO_COLOR: "1" };
  assert.match(facts(env, { theme: "dark" }), /mono$/);
  assert.match(facts({ ...env, NO_COLOR: "" }), /dark$/);
});

test("a light background is recognised where the terminal tells", () => {
  const env = { TERM: "xterm-256color", LANG: "C.UTF-8" };
  assert.match(facts({ ...env, COLORFGBG: "0;15" }), /light$/);
  assert.match(facts({ ...env, COLORFGBG: "15;0" }), /dark$/);
  assert.match(facts({ ...env, COLORFGBG: "15;0" }, { theme: "light" }), /light$/);
  assert.match(facts({ ...env, LATCHKEY_THEME: "mono" }), /mono$/);
});
