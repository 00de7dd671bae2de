import { Unicode11Addon } from "@xterm/addon-unicode11";
import headless from "@xterm/headless";
import { createTerminal, type Terminal } from "../../tui/term/terminal.js";
import type { DisplayWishes, Environment } from "../../tui/term/environment.js";
import { FakeClock } from "../support/fake-clock.js";
import { FakeInput, FakeOutput, FakeProcess } from "./streams.js";

/** One cell as the terminal shows it. Colours are palette numbers, -1 for the default. */
export interface ScreenCell {
  readonly char: string;
  readonly width: number;
  readonly fg: number;
  readonly bg: number;
  readonly bold: boolean;
  readonly inverse: boolean;
  readonly underline: boolean;
}

/** What a test may decide about the terminal. */
export interface OpenOptions {
  readonly cols?: number;
  readonly rows?: number;
  readonly env?: Environment;
  readonly clock?: FakeClock;
  readonly theme?: NonNullable<DisplayWishes["theme"]>;
  readonly unicode?: NonNullable<DisplayWishes["unicode"]>;
  readonly mouse?: boolean;
  readonly escDelayMs?: number;
  readonly writeCrashLog?: (error: unknown) => string | undefined;
  /** Puts the widgets under test on the terminal. */
  readonly mount: (terminal: Terminal, clock: FakeClock) => void;
}

const KEYS: Readonly<Record<string, string>> = {
  esc: "\u001b",
  enter: "\r",
  tab: "\t",
  "S-tab": "\u001b[Z",
  space: " ",
  backspace: "\u007f",
  delete: "\u001b[3~",
  up: "\u001b[A",
  down: "\u001b[B",
  right: "\u001b[C",
  left: "\u001b[D",
  home: "\u001b[H",
  end: "\u001b[F",
  pgup: "\u001b[5~",
  pgdn: "\u001b[6~",
  f1: "\u001bOP",
};

function keyBytes(key: string): string {
  const name = /^<(.+)>$/.exec(key)?.[1];
  if (name === undefined) return key;
  const control = /^C-(.)$/.exec(name)?.[1];
  if (control !== undefined) return String.fromCharCode(control.charCodeAt(0) & 0x1f);
  const bytes = KEYS[name];
  if (bytes === undefined) throw new Error(`the harness knows no key ${key}`);
  return bytes;
}

/** A dashboard on a terminal emulator, both inside the test's own process. */
export class TestTui {
  readonly clock: FakeClock;
  readonly input = new FakeInput();
  readonly output: FakeOutput;
  readonly process = new FakeProcess();
  readonly emulator: headless.Terminal;
  readonly terminal: Terminal;
  /** Texts that arrived in the clipboard by OSC 52. */
  readonly clipboard: string[] = [];

  constructor(options: OpenOptions) {
    const cols = options.cols ?? 120;
    const rows = options.rows ?? 35;
    this.clock = options.clock ?? new FakeClock();
    this.output = new FakeOutput(cols, rows);
    this.emulator = new headless.Terminal({ cols, rows, allowProposedApi: true });
    this.emulator.loadAddon(new Unicode11Addon());
    this.emulator.unicode.activeVersion = "11";
    this.emulator.parser.registerOscHandler(52, (data) => {
      this.clipboard.push(Buffer.from(data.replace(/^[^;]*;/, ""), "base64").toString("utf8"));
      return true;
    });
    this.output.onWrite = (text) => this.emulator.write(text);
    this.terminal = createTerminal({
      input: this.input,
      output: this.output,
      env: options.env ?? { TERM: "xterm-256color", LANG: "C.UTF-8" },
      clock: this.clock,
      process: this.process,
      wishes: { unicode: options.unicode ?? "auto", theme: options.theme ?? "auto" },
      ...(options.mouse === undefined ? {} : { mouse: options.mouse }),
      ...(options.escDelayMs === undefined ? {} : { escDelayMs: options.escDelayMs }),
      ...(options.writeCrashLog === undefined ? {} : { writeCrashLog: options.writeCrashLog }),
    });
    options.mount(this.terminal, this.clock);
  }

  /** Lets time pass, then waits until the emulator has taken in all that was written. */
  async settle(passMs = 200): Promise<void> {
    this.clock.advance(passMs);
    await new Promise<void>((resolve) => this.emulator.write("", resolve));
  }

  /** Presses keys one by one: `j`, `<esc>`, `<C-d>`, `<S-tab>`. */
  async press(...keys: readonly string[]): Promise<void> {
    for (const key of keys) {
      this.input.feed(keyBytes(key));
      this.clock.advance(60);
    }
    await this.settle();
  }

  /** Types a text key by key, in one read. */
  async type(text: string): Promise<void> {
    this.input.feed(text);
    await this.settle();
  }

  /** Pastes a text the way a terminal with paste marks does. */
  async paste(text: string): Promise<void> {
    this.input.feed(`\u001b[200~${text}\u001b[201~`);
    await this.settle();
  }

  /** Changes the size of the window and lets it settle. */
  async resize(cols: number, rows: number): Promise<void> {
    this.emulator.resize(cols, rows);
    this.output.columns = cols;
    this.output.rows = rows;
    this.output.emit("resize");
    await this.settle(300);
  }

  /** Waits, in steps of simulated time, until the screen shows what is asked for. */
  async waitFor(what: RegExp | (() => boolean), withinMs = 5000): Promise<void> {
    const holds = (): boolean => (what instanceof RegExp ? what.test(this.text()) : what());
    for (let passed = 0; passed <= withinMs; passed += 50) {
      await this.settle(50);
      if (holds()) return;
    }
    throw new Error(`not within ${withinMs} ms: ${String(what)}\n${this.text()}`);
  }

  /** One row as text, blanks at the end removed. */
  row(y: number): string {
    return (this.emulator.buffer.active.getLine(y)?.translateToString(true) ?? "").trimEnd();
  }

  /** All rows as text. */
  text(): string {
    const rows = Array.from({ length: this.emulator.rows }, (_, y) => this.row(y));
    return rows.join("\n");
  }

  /** One cell with its look. */
  cell(x: number, y: number): ScreenCell {
    const cell = this.emulator.buffer.active.getLine(y)?.getCell(x);
    if (cell === undefined) throw new Error(`no cell at ${x},${y}`);
    return {
      char: cell.getChars(),
      width: cell.getWidth(),
      fg: cell.isFgDefault() ? -1 : cell.getFgColor(),
      bg: cell.isBgDefault() ? -1 : cell.getBgColor(),
      bold: cell.isBold() !== 0,
      inverse: cell.isInverse() !== 0,
      underline: cell.isUnderline() !== 0,
    };
  }

  /** Column and row of the first occurrence of a text; columns count cells, not characters. */
  find(text: string): { x: number; y: number } | undefined {
    for (let y = 0; y < this.emulator.rows; y += 1) {
      const line = this.emulator.buffer.active.getLine(y);
      if (line === undefined) continue;
      const before = line.translateToString(false).indexOf(text);
      if (before >= 0) return { x: this.#columnOf(y, before), y };
    }
    return undefined;
  }

  /** Everything ever written to the terminal. */
  bytes(): string {
    return this.output.writes.join("");
  }

  /** Text of the screen and a second block that names the look of each cell, for golden files. */
  snapshot(): string {
    const legend = new Map<string, string>();
    const looks = Array.from({ length: this.emulator.rows }, (_, y) => this.#looks(y, legend));
    const names = [...legend].map(([look, letter]) => `${letter} ${look}`);
    return [this.text(), "", ...looks, "", ...names].join("\n");
  }

  /** True while the emulator shows the alternate screen. */
  get alternate(): boolean {
    return this.emulator.buffer.active.type === "alternate";
  }

  /** Takes the dashboard down; every test ends with it. */
  close(): void {
    this.terminal.close();
  }

  #looks(y: number, legend: Map<string, string>): string {
    let letters = "";
    for (let x = 0; x < this.emulator.cols; x += 1) {
      const { fg, bg, bold, inverse, underline } = this.cell(x, y);
      const flags = `${bold ? "b" : ""}${inverse ? "i" : ""}${underline ? "u" : ""}`;
      const look = `fg=${fg} bg=${bg} ${flags}`.trimEnd();
      if (!legend.has(look)) legend.set(look, String.fromCharCode(97 + legend.size));
      letters += legend.get(look) ?? "?";
    }
    return letters;
  }

  #columnOf(y: number, offset: number): number {
    const line = this.emulator.buffer.active.getLine(y);
    let units = 0;
    for (let x = 0; x < this.emulator.cols; x += 1) {
      const cell = line?.getCell(x);
      // The second cell of a wide character stands for no text of its own.
      if (cell === undefined || cell.getWidth() === 0) continue;
      if (units >= offset) return x;
      units += Math.max(1, cell.getChars().length);
    }
    return offset;
  }
}

/** Opens a dashboard on an emulated terminal and draws its first frame. */
export async function openTui(options: OpenOptions): Promise<TestTui> {
  const tui = new TestTui(options);
  await tui.settle();
  return tui;
}
