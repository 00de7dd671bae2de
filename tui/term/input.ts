import { StringDecoder } from "node:string_decoder";
import type { Clock, Timer } from "./clock.js";
import { keyOfControl, keyOfSequence, mouseOfSequence } from "./key-names.js";

/** A key as the dashboard knows it. */
export interface KeyPress {
  readonly type: "key";
  /** `j`, `G`, `enter`, `esc`, `shift-tab`, `ctrl-d`, `alt-x`, `pageup`, `f1`, `space`… */
  readonly name: string;
  /** What the key writes into a text field; empty for all other keys. */
  readonly text: string;
}

/** Text that the terminal marked as pasted, in one piece. */
export interface Paste {
  readonly type: "paste";
  readonly text: string;
  /** True when more than `pasteUnitsMax` arrived and the rest was dropped. */
  readonly truncated: boolean;
}

/** A click or a turn of the wheel; coordinates count from 0. */
export interface MouseEvent {
  readonly type: "mouse";
  readonly action: "press" | "release" | "wheel-up" | "wheel-down";
  readonly button: "left" | "middle" | "right" | "none";
  readonly x: number;
  readonly y: number;
}

/** Anything a user can do to the dashboard. */
export type InputEvent = KeyPress | Paste | MouseEvent;

/** Largest paste that is delivered, in UTF-16 units. */
export const pasteUnitsMax = 1024 * 1024;

/** How long a lone ESC is held back before it counts as the key itself. */
const escDelayDefaultMs = 50;

/** Upper end when slow links make the delay grow. */
const escDelayMaxMs = 400;

/** An unfinished sequence that is longer than a lone ESC is a broken link, not a person. */
const sequenceIdleMs = 500;

/** A paste whose end mark never comes is delivered after this silence. */
const pasteIdleMs = 3000;

/** The tail of a split sequence is recognised this long after the ESC was given up. */
const lateTailMs = 1000;

/** Longest reply of the terminal (OSC, DCS) that is waited for before it is dropped. */
const replyUnitsMax = 4096;

const PASTE_START = "\u001b[200~";
const PASTE_END = "\u001b[201~";
const CSI = /^\u001b\[[0-?]*[ -/]*[@-~]/;
const X10_MOUSE = /^\u001b\[M[^]{3}/;
const SS3 = /^\u001bO[0-9;]*[A-Za-z]/;
const STRING_REPLY = /^\u001b[\]P_][^]*?(?:\u0007|\u001b\\)/;
const UNFINISHED = /^\u001b(?:\[[0-?]*[ -/]*|\[M[^]{0,2}|O[0-9;]*|[\]P_][^]*)?$/;
const LATE_TAIL = /^(?:\[[0-9;]*[A-Za-z~]|O[A-Z])$/;

/**
 * Turns bytes from the terminal into events. It stands in place of the library's own key reader,
 * which takes the pieces of a split sequence for separate keys, drops all but the first mouse
 * report of a chunk, and knows no paste.
 */
export class InputDecoder {
  readonly #clock: Clock;
  readonly #emit: (event: InputEvent) => void;
  readonly #utf8 = new StringDecoder("utf8");
  #escDelayMs: number;
  #pending = "";
  #paste: string | undefined;
  #timer: Timer | undefined;
  #escGivenUpAt = -Infinity;

  constructor(options: {
    readonly clock: Clock;
    readonly emit: (event: InputEvent) => void;
    readonly escDelayMs?: number;
  }) {
    this.#clock = options.clock;
    this.#emit = options.emit;
    this.#escDelayMs = options.escDelayMs ?? escDelayDefaultMs;
  }

  /** Takes one chunk as it was read; events are emitted before it returns. */
  feed(chunk: Buffer): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    const text = this.#utf8.write(chunk);
    if (this.#isLateTail(text)) {
      // The link is slower than the delay: the ESC was an arrow key. Wait longer from now on.
      this.#escDelayMs = Math.min(this.#escDelayMs * 2, escDelayMaxMs);
      this.#pending = `\u001b${text}`;
    } else {
      this.#pending += text;
    }
    this.#escGivenUpAt = -Infinity;
    this.#drain();
    this.#wait();
  }

  /** Forgets what is held back and stops the timer. */
  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#pending = "";
    this.#paste = undefined;
  }

  #isLateTail(text: string): boolean {
    if (this.#clock.monotonic() - this.#escGivenUpAt > lateTailMs) return false;
    return text.length > 1 && LATE_TAIL.test(text);
  }

  #drain(): void {
    while (this.#pending !== "") {
      const before = this.#pending;
      if (this.#paste === undefined) this.#takeOne();
      else this.#takePaste();
      if (this.#pending === before) return;
    }
  }

  /** Takes one key or sequence off the front; leaves an unfinished one where it is. */
  #takeOne(): void {
    const text = this.#pending;
    if (!text.startsWith("\u001b")) return this.#takeText();
    if (text.startsWith(PASTE_START)) {
      this.#paste = "";
      this.#pending = text.slice(PASTE_START.length);
      return;
    }
    const mouse = X10_MOUSE.exec(text) ?? STRING_REPLY.exec(text);
    if (mouse !== null) {
      this.#pending = text.slice(mouse[0].length);
      return;
    }
    if (UNFINISHED.test(text)) {
      if (text.length > replyUnitsMax) this.#pending = "";
      return;
    }
    const sequence = CSI.exec(text) ?? SS3.exec(text);
    if (sequence !== null) return this.#takeSequence(sequence[0]);
    this.#takeAlt();
  }

  #takeSequence(sequence: string): void {
    this.#pending = this.#pending.slice(sequence.length);
    const event = mouseOfSequence(sequence) ?? keyOfSequence(sequence);
    if (event !== undefined) this.#emit(event);
  }

  /** ESC before anything else means Alt; ESC before ESC or a control is the key itself. */
  #takeAlt(): void {
    const next = String.fromCodePoint(this.#pending.codePointAt(1) ?? 0);
    if (next < " " || next === "\u007f") {
      this.#pending = this.#pending.slice(1);
      this.#emit({ type: "key", name: "esc", text: "" });
      return;
    }
    this.#pending = this.#pending.slice(1 + next.length);
    this.#emit({ type: "key", name: `alt-${next}`, text: "" });
  }

  #takeText(): void {
    const char = String.fromCodePoint(this.#pending.codePointAt(0) ?? 0);
    this.#pending = this.#pending.slice(char.length);
    this.#emit(keyOfControl(char) ?? printable(char));
  }

  #takePaste(): void {
    const end = this.#pending.indexOf(PASTE_END);
    if (end >= 0) {
      this.#paste = (this.#paste ?? "") + this.#pending.slice(0, end);
      this.#pending = this.#pending.slice(end + PASTE_END.length);
      return this.#endPaste();
    }
    // The end mark may be split between two chunks: keep what could be its beginning.
    const keep = overlapLength(this.#pending, PASTE_END);
    const take = this.#pending.length - keep;
    if (take === 0) return;
    const room = Math.max(0, pasteUnitsMax + 1 - (this.#paste?.length ?? 0));
    this.#paste = (this.#paste ?? "") + this.#pending.slice(0, Math.min(take, room));
    this.#pending = this.#pending.slice(take);
  }

  #endPaste(): void {
    const text = this.#paste ?? "";
    this.#paste = undefined;
    const truncated = text.length > pasteUnitsMax;
    this.#emit({ type: "paste", text: text.slice(0, pasteUnitsMax), truncated });
  }

  #wait(): void {
    if (this.#paste !== undefined) return this.#arm(pasteIdleMs);
    if (this.#pending === "\u001b") return this.#arm(this.#escDelayMs);
    if (this.#pending !== "") this.#arm(sequenceIdleMs);
  }

  #arm(delayMs: number): void {
    this.#timer = this.#clock.setTimer(() => this.#giveUp(), delayMs);
  }

  #giveUp(): void {
    this.#timer = undefined;
    if (this.#paste !== undefined) {
      this.#pending = "";
      return this.#endPaste();
    }
    const text = this.#pending;
    this.#pending = "";
    if (text === "\u001b") {
      this.#escGivenUpAt = this.#clock.monotonic();
      this.#emit({ type: "key", name: "esc", text: "" });
    } else if (text.length === 2) {
      this.#emit({ type: "key", name: `alt-${text.charAt(1)}`, text: "" });
    }
  }
}

function printable(char: string): KeyPress {
  return { type: "key", name: char === " " ? "space" : char, text: char };
}

/** Length of the longest end of `text` that is a beginning of `mark`. */
function overlapLength(text: string, mark: string): number {
  const most = Math.min(text.length, mark.length - 1);
  for (let length = most; length > 0; length -= 1) {
    if (mark.startsWith(text.slice(text.length - length))) return length;
  }
  return 0;
}
