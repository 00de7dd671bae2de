import { PassThrough } from "node:stream";
import blessed, { type Widgets } from "blessed";
import type { Display } from "./environment.js";
import type { ScreenOutput } from "./output.js";
import { useBundledTerminfo } from "./terminfo.js";
import { charWidth } from "./width.js";

/** Differs from every character that can be painted. */
const NEVER_SENT = "\0";

/** One cell in blessed's own buffer: look and character. */
export type BlessedCell = [attr: number, char: string];

/** A row of blessed's buffer; only dirty rows are compared and sent. */
export interface BlessedRow extends Array<BlessedCell> {
  dirty: boolean;
}

/** The parts of blessed's program that are used below its published types. */
export interface BlessedProgram {
  cursorHidden: boolean;
  isAlt: boolean;
  flush(): void;
  cup(row: number, column: number): unknown;
  showCursor(): unknown;
  hideCursor(): unknown;
  alternateBuffer(): unknown;
  normalBuffer(): unknown;
  put: { keypad_xmit(): unknown; keypad_local(): unknown };
}

/** The parts of blessed's screen that are used below its published types. */
export interface BlessedScreen {
  readonly lines: BlessedRow[];
  readonly olines: BlessedRow[];
  readonly program: BlessedProgram;
  readonly tput: { brokenACS: boolean; colors: number };
  readonly cols: number;
  readonly rows: number;
  alloc(): void;
  render(): void;
  draw(start: number, end: number): void;
  destroy(): void;
  append(element: Widgets.Node): void;
  remove(element: Widgets.Node): void;
}

/** Creates the one blessed screen of a terminal, with every known defect of it switched off. */
export function createBlessedScreen(output: ScreenOutput, display: Display): BlessedScreen {
  useBundledTerminfo();
  const screen = blessed.screen({
    // Keys are decoded elsewhere; blessed reads from a stream on which nothing ever arrives.
    input: new PassThrough(),
    output,
    terminal: display.terminfo,
    forceUnicode: display.unicode,
    // Wide characters are kept right by our own surface; blessed's table is too old for it.
    fullUnicode: false,
    smartCSR: false,
    warnings: false,
  } as unknown as Widgets.IScreenOptions) as unknown as BlessedScreen;
  // Line drawing by the alternate charset shows letters in PuTTY and in captured text.
  screen.tput.brokenACS = true;
  removeLibraryHandlers();
  keepWideCellsWhole(screen);
  return screen;
}

/*
 * blessed ends the process on its own on signals and exceptions, with a stack trace over the
 * prompt. The terminal does that itself, so these handlers go as soon as they were added.
 */
function removeLibraryHandlers(): void {
  const holder = blessed.screen as unknown as Record<string, unknown>;
  const handlers: readonly (readonly [string, string])[] = [
    ["uncaughtException", "_exceptionHandler"],
    ["SIGTERM", "_sigtermHandler"],
    ["SIGINT", "_sigintHandler"],
    ["SIGQUIT", "_sigquitHandler"],
    ["exit", "_exitHandler"],
  ];
  for (const [event, name] of handlers) {
    const handler = holder[name];
    if (typeof handler === "function") process.removeListener(event, handler as () => void);
  }
}

/*
 * A wide character stands in its own cell and an empty one to its right. blessed compares and
 * sends the two on their own, so before each comparison halves that were painted over are blanked
 * and pairs that changed are sent together; otherwise the cursor drifts by one column.
 */
function keepWideCellsWhole(screen: BlessedScreen): void {
  const draw = screen.draw.bind(screen);
  screen.draw = (start, end) => {
    for (let y = start; y <= end; y += 1) {
      const line = screen.lines[y];
      const sent = screen.olines[y];
      if (line?.dirty === true && sent !== undefined) repairRow(line, sent);
    }
    draw(start, end);
  };
}

function repairRow(line: BlessedRow, sent: BlessedRow): void {
  for (let x = 0; x < line.length; x += 1) {
    const cell = line[x];
    if (cell === undefined) continue;
    if (cell[1] === "") {
      cell[1] = " ";
      continue;
    }
    if (cell[1] <= "\u10ff" || charWidth(cell[1].codePointAt(0) ?? 0) !== 2) continue;
    const next = line[x + 1];
    if (next === undefined || next[1] !== "") {
      cell[1] = " ";
      continue;
    }
    next[0] = cell[0];
    resendPair(line, sent, x);
    x += 1;
  }
}

function resendPair(line: BlessedRow, sent: BlessedRow, x: number): void {
  const before = sent[x];
  const after = sent[x + 1];
  const lead = line[x];
  const tail = line[x + 1];
  if (before === undefined || after === undefined || lead === undefined || tail === undefined)
    return;
  const same =
    before[0] === lead[0] && before[1] === lead[1] && after[0] === tail[0] && after[1] === tail[1];
  if (same) return;
  before[1] = NEVER_SENT;
  after[1] = NEVER_SENT;
}
