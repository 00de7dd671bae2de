import type { InputEvent, KeyPress } from "../term/input.js";
import type { Painter } from "../term/painter.js";
import { safe } from "../term/safe.js";
import { textWidth } from "../term/width.js";

/** How a line of input behaves. */
export interface LineEditorOptions {
  readonly value?: string;
  /** Show only dots. The value is never painted. */
  readonly masked?: boolean;
  /** Most characters taken, in UTF-16 units; default 4096. */
  readonly unitsMax?: number;
  /** Lets only some characters in, e.g. digits. */
  readonly accept?: (char: string) => boolean;
  readonly onChange?: (value: string) => void;
}

const unitsMaxDefault = 4096;

/** What a line must never hold, whoever typed or pasted it: it would go into names and headers. */
const CONTROLS = /\p{Cc}/gu;

/**
 * One line of text with a cursor and the usual shell keys. A paste is one change.
 * ```ts
 * const editor = new LineEditor({ masked: true });
 * editor.handle(event);
 * editor.paint(painter, { focused: true, placeholder: 'sk-…' });
 * ```
 */
export class LineEditor {
  readonly #options: LineEditorOptions;
  readonly #segmenter = new Intl.Segmenter("und", { granularity: "grapheme" });
  #chars: string[];
  #cursor: number;
  #scroll = 0;
  #isCut = false;

  constructor(options: LineEditorOptions = {}) {
    this.#options = options;
    this.#chars = this.#split(options.value ?? "");
    this.#cursor = this.#chars.length;
  }

  get value(): string {
    return this.#chars.join("");
  }

  /** What came last was too long, and its end was left out. */
  get isCut(): boolean {
    return this.#isCut;
  }

  get unitsMax(): number {
    return this.#options.unitsMax ?? unitsMaxDefault;
  }

  /** Replaces the text and puts the cursor behind it. */
  set(value: string): void {
    this.#isCut = false;
    this.#chars = this.#split(value.replace(CONTROLS, ""));
    this.#cursor = this.#chars.length;
  }

  /** Drops the text, e.g. a secret once it was sent. */
  clear(): void {
    this.#chars.fill("");
    this.set("");
  }

  /** Uses editing keys, printable keys and pastes; Enter, Esc, Tab and the rest are left alone. */
  handle(event: InputEvent): boolean {
    if (event.type === "paste") {
      // People copy keys with the line end; inside a line it can only be a blank.
      this.#insert(event.text.trim().replace(/\s*[\r\n]+\s*/g, " "));
      return true;
    }
    if (event.type !== "key") return false;
    if (event.text !== "") {
      this.#insert(event.text);
      return true;
    }
    return this.#edit(event);
  }

  /** Draws on the first row of the painter, over its whole width. */
  paint(
    painter: Painter,
    look: { readonly focused: boolean; readonly placeholder?: string; readonly disabled?: boolean },
  ): void {
    const style = look.disabled === true ? "disabled" : look.focused ? "inputFocus" : "input";
    painter.cover({ ...painter.area, height: 1 }, style);
    if (this.#chars.length === 0 && look.placeholder !== undefined) {
      painter.text(0, 0, look.placeholder, "placeholder");
      painter.tint({ ...painter.area, height: 1 }, style);
    }
    const shown = this.#chars.map((char) => this.#display(char, painter.glyphs.mask));
    const widths = shown.map((char) => textWidth(char));
    this.#keepCursorVisible(widths, painter.width);
    let x = 0;
    for (let i = this.#scroll; i < shown.length && x < painter.width; i += 1) {
      if (look.focused && i === this.#cursor) painter.cursor(x, 0);
      // A wide character that only half fits is left out rather than cut to an ellipsis.
      if (x + (widths[i] ?? 0) > painter.width) break;
      x += painter.text(x, 0, shown[i] ?? "", style);
    }
    if (look.focused && this.#cursor >= shown.length) painter.cursor(x, 0);
  }

  #display(char: string, mask: string): string {
    if (this.#options.masked === true) return mask;
    const clean = safe(char);
    return clean === "" || textWidth(clean) === 0 ? "?" : clean;
  }

  #keepCursorVisible(widths: readonly number[], width: number): void {
    if (this.#cursor < this.#scroll) this.#scroll = this.#cursor;
    for (;;) {
      const used = widths.slice(this.#scroll, this.#cursor).reduce((a, b) => a + b, 0);
      const own = widths[this.#cursor] ?? 1;
      if (used + own <= width || this.#scroll >= this.#cursor) return;
      this.#scroll += 1;
    }
  }

  #edit(event: KeyPress): boolean {
    const edit = EDITS[event.name];
    if (edit === undefined) return false;
    const before = this.value;
    this.#isCut = false;
    const next = edit({ chars: this.#chars, cursor: this.#cursor });
    this.#chars = next.chars;
    this.#cursor = Math.min(next.chars.length, Math.max(0, next.cursor));
    if (this.value !== before) this.#options.onChange?.(this.value);
    return true;
  }

  #insert(text: string): void {
    const accept = this.#options.accept ?? (() => true);
    const room = Math.max(0, this.unitsMax - this.value.length);
    const whole = text.replace(CONTROLS, "");
    const clean = whole.slice(0, room);
    this.#isCut = clean.length < whole.length;
    const added = this.#split(clean).filter(accept);
    if (added.length === 0) return;
    const head = this.#chars.slice(0, this.#cursor).concat(added).join("");
    const tail = this.#chars.slice(this.#cursor).join("");
    // A typed mark joins the character before it, so both sides are split again.
    const before = this.#split(head);
    this.#chars = [...before, ...this.#split(tail)];
    this.#cursor = before.length;
    this.#options.onChange?.(this.value);
  }

  #split(text: string): string[] {
    return Array.from(this.#segmenter.segment(text), (part) => part.segment);
  }
}

interface Line {
  readonly chars: string[];
  readonly cursor: number;
}

function cutOut(line: Line, from: number, to: number): Line {
  return { chars: line.chars.toSpliced(from, to - from), cursor: from };
}

function wordStart(line: Line): number {
  let at = line.cursor;
  while (at > 0 && line.chars[at - 1] === " ") at -= 1;
  while (at > 0 && line.chars[at - 1] !== " ") at -= 1;
  return at;
}

function wordEnd(line: Line): number {
  let at = line.cursor;
  while (at < line.chars.length && line.chars[at] === " ") at += 1;
  while (at < line.chars.length && line.chars[at] !== " ") at += 1;
  return at;
}

const toStart = (line: Line): Line => ({ ...line, cursor: 0 });
const toEnd = (line: Line): Line => ({ ...line, cursor: line.chars.length });
const back = (line: Line): Line => ({ ...line, cursor: line.cursor - 1 });
const forward = (line: Line): Line => ({ ...line, cursor: line.cursor + 1 });
const wordBack = (line: Line): Line => ({ ...line, cursor: wordStart(line) });
const wordForward = (line: Line): Line => ({ ...line, cursor: wordEnd(line) });
const rubOut = (line: Line): Line => cutOut(line, Math.max(0, line.cursor - 1), line.cursor);
const rubOutWord = (line: Line): Line => cutOut(line, wordStart(line), line.cursor);
const remove = (line: Line): Line => cutOut(line, line.cursor, line.cursor + 1);

const EDITS: Readonly<Record<string, (line: Line) => Line>> = {
  left: back,
  "ctrl-b": back,
  right: forward,
  "ctrl-f": forward,
  home: toStart,
  "ctrl-a": toStart,
  end: toEnd,
  "ctrl-e": toEnd,
  "ctrl-left": wordBack,
  "alt-b": wordBack,
  "ctrl-right": wordForward,
  "alt-f": wordForward,
  backspace: rubOut,
  delete: remove,
  "ctrl-d": remove,
  "ctrl-w": rubOutWord,
  "alt-backspace": rubOutWord,
  "ctrl-u": (line) => cutOut(line, 0, line.cursor),
  "ctrl-k": (line) => cutOut(line, line.cursor, line.chars.length),
};
