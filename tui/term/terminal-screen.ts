import { createBlessedScreen, type BlessedScreen } from "./blessed-screen.js";
import type { Clock } from "./clock.js";
import type { Display } from "./environment.js";
import { ScreenLayer, type FrameState, type Layer, type Paintable } from "./layer.js";
import type { ScreenOutput } from "./output.js";
import { themeByName, type ThemeName } from "./theme.js";
import { columnsMin, paintTooSmall, rowsMin } from "./too-small.js";

const PASTE_ON = "\u001b[?2004h";
const PASTE_OFF = "\u001b[?2004l";
// Clicks and wheel only, in the form without a limit of 223 columns.
const MOUSE_ON = "\u001b[?1000h\u001b[?1006h";
const MOUSE_OFF = "\u001b[?1006l\u001b[?1000l";
const SYNC_BEGIN = "\u001b[?2026h";
const SYNC_END = "\u001b[?2026l";
const RESET_LOOK = "\u001b[0m";

/**
 * What is on the glass: the alternate screen with its modes, the layers, and the frames drawn from
 * them. It knows nothing of keys, signals or when to draw.
 */
export class TerminalScreen {
  readonly #screen: BlessedScreen;
  readonly #output: ScreenOutput;
  readonly #clock: Clock;
  #display: Display;
  #frame: FrameState = { frameTime: 0, cursor: undefined };
  #mouse: boolean;

  /** Enters the alternate screen at once. */
  constructor(options: {
    readonly output: ScreenOutput;
    readonly display: Display;
    readonly clock: Clock;
    readonly mouse: boolean;
  }) {
    this.#output = options.output;
    this.#display = options.display;
    this.#clock = options.clock;
    this.#mouse = options.mouse;
    this.#screen = createBlessedScreen(options.output, options.display);
    this.#enableModes();
  }

  get display(): Display {
    return this.#display;
  }

  get mouse(): boolean {
    return this.#mouse;
  }

  /** True while the window cannot hold the dashboard and only a notice is drawn. */
  get tooSmall(): boolean {
    return this.#output.columns < columnsMin || this.#output.rows < rowsMin;
  }

  /** Other colours from the next frame on. */
  setTheme(name: ThemeName): void {
    this.#display = { ...this.#display, theme: themeByName(name) };
  }

  setMouse(on: boolean, visible: boolean): void {
    this.#mouse = on;
    if (visible) this.send(on ? MOUSE_ON : MOUSE_OFF);
  }

  addLayer(content: Paintable, opaque: boolean): Layer {
    return new ScreenLayer({
      screen: this.#screen,
      display: () => this.#display,
      content: {
        paint: (painter) => {
          if (this.tooSmall) paintTooSmall(painter, this.#output.columns, this.#output.rows);
          else content.paint(painter);
        },
      },
      opaque,
      frame: () => this.#frame,
    });
  }

  /** Draws one frame and returns the milliseconds its writes took. */
  draw(): number {
    this.#output.takeWriteMs();
    const { program } = this.#screen;
    this.#frame = { frameTime: this.#clock.monotonic(), cursor: undefined };
    if (this.#display.synchronised) this.send(SYNC_BEGIN);
    this.#screen.render();
    this.#placeCursor();
    program.flush();
    if (this.#display.synchronised) this.#output.write(SYNC_END);
    return this.#output.takeWriteMs();
  }

  /** Clears the glass; the next frame sends every cell. */
  clear(): void {
    this.#screen.alloc();
  }

  /** Writes a control sequence, after whatever blessed still holds back. */
  send(sequence: string): void {
    this.#screen.program.flush();
    this.#output.write(sequence);
  }

  /** Takes the terminal again after `leave`. */
  enter(): void {
    const { program } = this.#screen;
    program.alternateBuffer();
    program.put.keypad_xmit();
    this.#enableModes();
  }

  /**
   * Gives the terminal back. Everything is cleared first: what was shown must not stay where there
   * is no alternate screen, nor in the alternate screen itself.
   */
  leave(): void {
    const { program } = this.#screen;
    this.send(PASTE_OFF + (this.#mouse ? MOUSE_OFF : "") + RESET_LOOK);
    this.#screen.alloc();
    program.put.keypad_local();
    program.showCursor();
    program.normalBuffer();
    program.flush();
  }

  /** Lets go of blessed. Call `leave` before, unless it was called already. */
  destroy(): void {
    // Leaving again would clear the shell's own screen.
    this.#screen.program.isAlt = false;
    this.#screen.destroy();
  }

  #enableModes(): void {
    this.send(PASTE_ON + (this.#mouse ? MOUSE_ON : ""));
  }

  #placeCursor(): void {
    const { program } = this.#screen;
    const { cursor } = this.#frame;
    if (cursor === undefined) {
      if (!program.cursorHidden) program.hideCursor();
      return;
    }
    program.cup(cursor.y, cursor.x);
    if (program.cursorHidden) program.showCursor();
  }
}
