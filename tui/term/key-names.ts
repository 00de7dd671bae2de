import type { KeyPress, MouseEvent } from "./input.js";

const LETTER_KEYS: Readonly<Record<string, string>> = {
  A: "up",
  B: "down",
  C: "right",
  D: "left",
  E: "clear",
  F: "end",
  H: "home",
  P: "f1",
  Q: "f2",
  R: "f3",
  S: "f4",
  M: "enter",
};

const NUMBER_KEYS: Readonly<Record<string, string>> = {
  "1": "home",
  "2": "insert",
  "3": "delete",
  "4": "end",
  "5": "pageup",
  "6": "pagedown",
  "7": "home",
  "8": "end",
  "11": "f1",
  "12": "f2",
  "13": "f3",
  "14": "f4",
  "15": "f5",
  "17": "f6",
  "18": "f7",
  "19": "f8",
  "20": "f9",
  "21": "f10",
  "23": "f11",
  "24": "f12",
};

const CONTROL_KEYS: Readonly<Record<string, string>> = {
  "\r": "enter",
  "\t": "tab",
  "\b": "backspace",
  "\u007f": "backspace",
  "\u0000": "ctrl-space",
  "\u001c": "ctrl-\\",
  "\u001d": "ctrl-]",
  "\u001e": "ctrl-^",
  "\u001f": "ctrl-_",
};

const CODE_KEYS: Readonly<Record<number, string>> = {
  9: "tab",
  13: "enter",
  27: "esc",
  32: "space",
  127: "backspace",
};

function key(name: string, text = ""): KeyPress {
  return { type: "key", name, text };
}

/**
 * The key behind one control character, or undefined for a printable one. A line feed is
 * `ctrl-j`, not Enter: it also ends each line of a paste into a terminal without paste marks,
 * and must not confirm anything.
 */
export function keyOfControl(char: string): KeyPress | undefined {
  const named = CONTROL_KEYS[char];
  if (named !== undefined) return key(named);
  const code = char.charCodeAt(0);
  if (code > 0 && code < 0x1b) return key(`ctrl-${String.fromCharCode(code + 0x60)}`);
  if (code >= 0x80 && code < 0xa0) return key("unknown");
  return undefined;
}

/** The key behind a CSI or SS3 sequence; undefined for one that is no key (focus, replies). */
export function keyOfSequence(sequence: string): KeyPress | undefined {
  const final = sequence.at(-1) ?? "";
  const parameters = sequence.slice(2, -1).split(";");
  const first = parameters[0] ?? "";
  if (final === "Z") return key("shift-tab");
  if (final === "u") return keyOfCode(Number(first), Number(parameters[1] ?? 1));
  if (final === "~" && first === "27") {
    return keyOfCode(Number(parameters[2] ?? 0), Number(parameters[1] ?? 1));
  }
  if (final === "~") return withModifiers(NUMBER_KEYS[first], Number(parameters[1] ?? 1));
  if (sequence.startsWith("\u001b[") && final === "M") return undefined;
  const modifier = Number(parameters.at(-1) || 1);
  return withModifiers(LETTER_KEYS[final], modifier);
}

/** Keys that modern terminals send as code point and modifier bits. */
function keyOfCode(code: number, modifier: number): KeyPress | undefined {
  if (!Number.isInteger(code) || code <= 0 || code > 0x10ffff) return undefined;
  const named = CODE_KEYS[code];
  if (named !== undefined) {
    return modifier <= 1 && named === "space" ? key("space", " ") : withModifiers(named, modifier);
  }
  if (code < 0x20 || (code >= 0xd800 && code <= 0xdfff)) return undefined;
  const char = String.fromCodePoint(code);
  if (modifier <= 1) return key(char, char);
  if (modifier === 2) return key(char.toUpperCase(), char.toUpperCase());
  return withModifiers(char, modifier);
}

function withModifiers(name: string | undefined, modifier: number): KeyPress | undefined {
  if (name === undefined) return undefined;
  const bits = Number.isInteger(modifier) && modifier > 1 ? modifier - 1 : 0;
  const prefix = (bits & 4 ? "ctrl-" : "") + (bits & 2 ? "alt-" : "") + (bits & 1 ? "shift-" : "");
  return key(prefix + name);
}

const SGR_MOUSE = /^\u001b\[<(\d{1,4});(\d{1,5});(\d{1,5})([Mm])$/;
const BUTTONS = ["left", "middle", "right", "none"] as const;

/** A mouse report in the SGR form, the only one that is switched on. Motion is not reported. */
export function mouseOfSequence(sequence: string): MouseEvent | undefined {
  const parts = SGR_MOUSE.exec(sequence);
  if (parts === null) return undefined;
  const code = Number(parts[1]);
  const at = { x: Number(parts[2]) - 1, y: Number(parts[3]) - 1 };
  if (code & 64) {
    const action = code & 1 ? "wheel-down" : "wheel-up";
    return { type: "mouse", action, button: "none", ...at };
  }
  if (code & 32) return undefined;
  const action = parts[4] === "M" ? "press" : "release";
  return { type: "mouse", action, button: BUTTONS[code & 3] ?? "none", ...at };
}
