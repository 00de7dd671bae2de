import { createBlessedScreen, type BlessedScreen } from "./blessed-screen.js";
import type { Clock, Timer } from "./clock.js";
import {
  detectDisplay,
  type Display,
  type DisplayWishes,
  type Environment,
} from "./environment.js";
import { FrameScheduler } from "./frames.js";
import { InputDecoder, type InputEvent } from "./input.js";
import { ScreenLayer, type FrameState, type Layer, type Paintable } from "./layer.js";
import { isTerminalGone, ScreenOutput, type TerminalOutput } from "./output.js";
import type { ExitSignal, ProcessPort } from "./process-port.js";
import { safe } from "./safe.js";
import { columnsMin, paintTooSmall, rowsMin } from "./too-small.js";

/** What the terminal layer needs of standard input, or of a stream that stands for it. */
export interface TerminalInput {
  setRawMode?(raw: boolean): unknown;
  resume(): unknown;
  pause(): unknown;
  on(event: "data", listener: (chunk: Buffer) => void): unknown;
  on(event: "end", listener: () => void): unknown;
  on(event: "error", listener: (error: Error) => void): unknown;
  off(event: "data", listener: (chunk: Buffer) => void): unknown;
  off(event: "end", listener: () => void): unknown;
  off(event: "error", listener: (error: Error) => void): unknown;
}

/** Everything a terminal is made of. */
export interface TerminalOptions {
  readonly input: TerminalInput;
  readonly output: TerminalOutput;
  readonly env: Environment;
  readonly clock: Clock;
  readonly process: ProcessPort;
  readonly wishes?: DisplayWishes;
  /** `--mouse`: report clicks. Off by default, so that the terminal can select text. */
  readonly mouse?: boolean;
  /** How long a lone ESC is held back, in milliseconds; more for very slow links. */
  readonly escDelayMs?: number;
  /** Writes a crash log and returns where it is. Must be synchronous. */
  readonly writeCrashLog?: (error: unknown) => string | undefined;
  /** Called once the terminal is gone or given back, before the process ends. */
  readonly onClose?: () => void;
}

/** How long a size must stand still before the screen is built anew, in milliseconds. */
const resizeSettleMs = 100;

const EXIT_CODES: Readonly<Record<ExitSignal, number>> = {
  SIGHUP: 129,
  SIGINT: 130,
  SIGQUIT: 131,
  SIGTERM: 143,
};

const PASTE_ON = "\u001b[?2004h";
const PASTE_OFF = "\u001b[?2004l";
const MOUSE_ON = "\u001b[?1000h\u001b[?1006h";
const MOUSE_OFF = "\u001b[?1006l\u001b[?1000l";
const SYNC_BEGIN = "\u001b[?2026h";
const SYNC_END = "\u001b[?2026l";
const RESET_LOOK = "\u001b[0m";

/**
 * Owns the terminal from the first byte to the last: raw mode, alternate screen, frames, input,
 * size, suspend and every way out. Screens only add layers and ask for frames.
 */
export class Terminal {
  readonly display: Display;
  readonly #options: TerminalOptions;
  readonly #output: ScreenOutput;
  readonly #screen: BlessedScreen;
  readonly #frames: FrameScheduler;
  readonly #decoder: InputDecoder;
  readonly #signals: (readonly [ExitSignal, () => void])[];
  readonly #hideHooks = new Set<() => void>();
  #frame: FrameState = { frameTime: 0, cursor: undefined };
  #onInput: (event: InputEvent) => boolean = () => false;
  #onRateChange: (intervalMs: number) => void = () => undefined;
  #resizeTimer: Timer | undefined;
  #mouse: boolean;
  #suspended = false;
  #closed = false;

  constructor(options: TerminalOptions) {
    this.#options = options;
    this.#mouse = options.mouse ?? false;
    this.display = detectDisplay(options.env, options.wishes);
    this.#output = new ScreenOutput({
      target: options.output,
      clock: options.clock,
      onGone: () => this.#vanish(),
    });
    this.#screen = createBlessedScreen(this.#output, this.display);
    this.#frames = new FrameScheduler({
      clock: options.clock,
      draw: () => this.#draw(),
      onRateChange: (intervalMs) => this.#onRateChange(intervalMs),
    });
    this.#decoder = new InputDecoder({
      clock: options.clock,
      emit: (event) => this.#dispatch(event),
      ...(options.escDelayMs === undefined ? {} : { escDelayMs: options.escDelayMs }),
    });
    this.#signals = (Object.keys(EXIT_CODES) as ExitSignal[]).map((signal) => [
      signal,
      () => this.#exitBySignal(signal),
    ]);
    this.#listen();
    this.#enterModes();
    this.#frames.request();
  }

  /** Cells across, as the next frame will have them. */
  get columns(): number {
    return this.#output.columns;
  }

  /** Cells down. */
  get rows(): number {
    return this.#output.rows;
  }

  /** Milliseconds between data frames; above 100 the link is slow and less should be asked for. */
  get frameIntervalMs(): number {
    return this.#frames.intervalMs;
  }

  /** Adds a sheet on top of the others; the first one should be opaque. */
  addLayer(content: Paintable, options: { readonly opaque: boolean }): Layer {
    const layer = new ScreenLayer({
      screen: this.#screen,
      display: this.display,
      content: {
        paint: (painter) => {
          if (this.#tooSmall()) paintTooSmall(painter, this.columns, this.rows);
          else content.paint(painter);
        },
      },
      opaque: options.opaque,
      frame: () => this.#frame,
    });
    this.requestFrame();
    return {
      remove: () => {
        layer.remove();
        this.requestFrame();
      },
    };
  }

  /** Wants the newest state drawn soon; asking again before that costs nothing. */
  requestFrame(reason: "data" | "input" = "data"): void {
    if (!this.#closed) this.#frames.request(reason);
  }

  /** Sends every cell again, e.g. after another program wrote on the terminal. */
  redraw(): void {
    if (this.#closed || this.#suspended) return;
    this.#screen.alloc();
    this.#frames.now();
  }

  /**
   * Hears keys, pastes and clicks. Return true for what was used; Ctrl-C, Ctrl-Z and Ctrl-L that
   * nobody used quit, suspend and redraw.
   */
  onInput(handler: (event: InputEvent) => boolean): void {
    this.#onInput = handler;
  }

  /** Hears when a slow link makes the frame rate fall or rise again. */
  onRateChange(handler: (intervalMs: number) => void): void {
    this.#onRateChange = handler;
  }

  /**
   * Runs before the terminal is left for a while or for good, while the screen can still be
   * painted over: what must not stay visible is hidden here. Returns how to stop listening.
   */
  onHide(hook: () => void): () => void {
    this.#hideHooks.add(hook);
    return () => this.#hideHooks.delete(hook);
  }

  /** True while clicks are reported. */
  get mouse(): boolean {
    return this.#mouse;
  }

  /** Switches the reporting of clicks. */
  setMouse(on: boolean): void {
    if (this.#mouse === on) return;
    this.#mouse = on;
    if (!this.#suspended && !this.#closed) this.#send(on ? MOUSE_ON : MOUSE_OFF);
  }

  /** Writes a control sequence that is no drawing, e.g. one for the clipboard. */
  send(sequence: string): void {
    if (!this.#closed && !this.#suspended) this.#send(sequence);
  }

  /** Gives the terminal back to the shell until the job is continued. */
  suspend(): void {
    if (this.#closed || this.#suspended) return;
    this.#hide();
    this.#suspended = true;
    this.#frames.hold();
    this.#leaveModes();
    this.#setRawMode(false);
    this.#options.input.pause();
    this.#options.process.stopJob();
  }

  /** Gives the terminal back and ends the process. */
  quit(code = 0): void {
    this.close();
    this.#options.process.exit(code);
  }

  /** Gives the terminal back as it was found. The process goes on; a second call does nothing. */
  close(): void {
    if (this.#closed) return;
    if (!this.#suspended) this.#hide();
    this.#closed = true;
    this.#frames.hold();
    this.#resizeTimer?.cancel();
    this.#decoder.close();
    this.#unlisten();
    if (!this.#suspended) this.#leaveModes();
    // Leaving again would print into the shell's own screen.
    this.#screen.program.isAlt = false;
    this.#screen.destroy();
    this.#setRawMode(false);
    this.#options.input.pause();
    this.#output.detach();
    this.#options.onClose?.();
  }

  #listen(): void {
    const { input, output, process } = this.#options;
    input.on("data", this.#onData);
    input.on("end", this.#onInputEnd);
    input.on("error", this.#onInputError);
    output.on("resize", this.#onResize);
    this.#output.on("drain", this.#onDrain);
    for (const [signal, listener] of this.#signals) process.onSignal(signal, listener);
    process.onSignal("SIGCONT", this.#onContinue);
    process.onCrash(this.#onCrash);
    process.onExit(this.#onExit);
    this.#setRawMode(true);
    input.resume();
  }

  #unlisten(): void {
    const { input, output, process } = this.#options;
    input.off("data", this.#onData);
    input.off("end", this.#onInputEnd);
    output.off("resize", this.#onResize);
    this.#output.off("drain", this.#onDrain);
    for (const [signal, listener] of this.#signals) process.offSignal(signal, listener);
    process.offSignal("SIGCONT", this.#onContinue);
    process.offCrash(this.#onCrash);
    process.offExit(this.#onExit);
  }

  readonly #onData = (chunk: Buffer): void => {
    if (!this.#suspended) this.#decoder.feed(chunk);
  };

  /** The other end of the input is closed: nobody can press a key any more. */
  readonly #onInputEnd = (): void => this.quit(0);

  readonly #onInputError = (error: Error): void => {
    if (isTerminalGone(error)) this.#vanish();
    else this.#onCrash(error);
  };

  readonly #onDrain = (): void => this.#frames.request();

  /** Frames stop until the size stands still: each one before that would be for a wrong size. */
  readonly #onResize = (): void => {
    this.#frames.hold();
    this.#resizeTimer?.cancel();
    this.#resizeTimer = this.#options.clock.setTimer(() => this.#settle(), resizeSettleMs);
  };

  readonly #onContinue = (): void => {
    if (!this.#suspended || this.#closed) return;
    this.#suspended = false;
    this.#setRawMode(true);
    this.#options.input.resume();
    this.#screen.program.alternateBuffer();
    this.#screen.program.put.keypad_xmit();
    this.#enterModes();
    // The window may have changed while another program had it.
    this.#settle();
  };

  readonly #onCrash = (error: unknown): void => {
    if (isTerminalGone(error)) return this.#vanish();
    const path = this.#options.writeCrashLog?.(error);
    this.close();
    const reason = error instanceof Error ? error.message : String(error);
    const details = path === undefined ? "" : ` Details: ${path}`;
    this.#options.process.complain(`latchkey: the dashboard stopped: ${safe(reason)}.${details}`);
    this.#options.process.exit(1);
  };

  readonly #onExit = (): void => this.close();

  #exitBySignal(signal: ExitSignal): void {
    this.close();
    // A dead terminal makes Node abort while it resets the tty, so that exit is not taken then.
    if (this.#output.writable) this.#options.process.exit(EXIT_CODES[signal]);
    else this.#options.process.killSelf();
  }

  /** The terminal is gone: nothing may be written, and a normal exit could abort. */
  #vanish(): void {
    if (this.#closed) return;
    this.#output.writable = false;
    this.close();
    this.#options.process.killSelf();
  }

  #settle(): void {
    this.#resizeTimer = undefined;
    if (this.#closed || this.#suspended) return;
    const { columns, rows } = this.#options.output;
    this.#output.resizeTo(Math.max(1, columns ?? 80), Math.max(1, rows ?? 24));
    this.#frames.release();
    this.#frames.now();
  }

  #dispatch(event: InputEvent): void {
    if (this.#closed) return;
    const hidden = this.#tooSmall();
    // Keys must not act on forms that are too small to be seen.
    const used = hidden ? false : this.#onInput(event);
    if (!used && event.type === "key") this.#fallback(event.name);
    this.requestFrame("input");
  }

  #fallback(key: string): void {
    if (key === "ctrl-c") this.quit(0);
    else if (key === "ctrl-z") this.suspend();
    else if (key === "ctrl-l") this.redraw();
  }

  #tooSmall(): boolean {
    return this.columns < columnsMin || this.rows < rowsMin;
  }

  #draw(): number {
    if (this.#closed || this.#suspended || this.#output.blocked) return 0;
    this.#output.takeWriteMs();
    const { program } = this.#screen;
    this.#frame = { frameTime: this.#options.clock.monotonic(), cursor: undefined };
    if (this.display.synchronised) this.#send(SYNC_BEGIN);
    this.#screen.render();
    this.#placeCursor();
    program.flush();
    if (this.display.synchronised) this.#output.write(SYNC_END);
    return this.#output.takeWriteMs();
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

  /** What the hooks hide leaves the glass with the clearing of the screen that always follows. */
  #hide(): void {
    for (const hook of this.#hideHooks) hook();
  }

  #enterModes(): void {
    this.#send(PASTE_ON + (this.#mouse ? MOUSE_ON : ""));
  }

  /** Everything is cleared first: without an alternate screen the last frame would stay. */
  #leaveModes(): void {
    const { program } = this.#screen;
    this.#send(PASTE_OFF + (this.#mouse ? MOUSE_OFF : "") + RESET_LOOK);
    this.#screen.alloc();
    program.put.keypad_local();
    program.showCursor();
    program.normalBuffer();
    program.flush();
  }

  #send(sequence: string): void {
    // What blessed still holds back was meant to come first.
    this.#screen.program.flush();
    this.#output.write(sequence);
  }

  #setRawMode(raw: boolean): void {
    try {
      this.#options.input.setRawMode?.(raw);
    } catch (error) {
      if (!isTerminalGone(error)) throw error;
      this.#output.writable = false;
    }
  }
}

/** Takes the terminal over. */
export function createTerminal(options: TerminalOptions): Terminal {
  return new Terminal(options);
}
