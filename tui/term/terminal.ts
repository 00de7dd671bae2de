import type { Clock, Timer } from "./clock.js";
import {
  detectDisplay,
  type Display,
  type DisplayWishes,
  type Environment,
} from "./environment.js";
import { FrameScheduler } from "./frames.js";
import { InputDecoder, type InputEvent } from "./input.js";
import type { Layer, Paintable } from "./layer.js";
import { isTerminalGone, ScreenOutput, type TerminalOutput } from "./output.js";
import type { ExitSignal, ProcessPort } from "./process-port.js";
import { watchProcess } from "./process-watch.js";
import { safe } from "./safe.js";
import { TerminalScreen } from "./terminal-screen.js";
import type { ThemeName } from "./theme.js";

/** What the terminal layer needs of standard input, or of a stream that stands for it. */
export interface TerminalInput {
  /** False or absent for a pipe, which may end without anything being wrong. */
  readonly isTTY?: boolean;
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

/** How long a size must stand still before the screen is drawn anew, in milliseconds. */
const resizeSettleMs = 100;

const EXIT_CODES: Readonly<Record<ExitSignal, number>> = {
  SIGHUP: 129,
  SIGINT: 130,
  SIGQUIT: 131,
  SIGTERM: 143,
};

/**
 * Owns the terminal from the first byte to the last: raw mode, alternate screen, frames, input,
 * size, suspend and every way out. Screens only add layers and ask for frames.
 * ```ts
 * const terminal = createTerminal({ input: process.stdin, output: process.stdout, env: process.env, clock, process: nodeProcess() });
 * terminal.addLayer({ paint: (painter) => void painter.text(0, 0, "hello") }, { opaque: true });
 * terminal.onInput((event) => event.type === "key" && view.press(event));
 * ```
 */
export class Terminal {
  readonly #options: TerminalOptions;
  readonly #output: ScreenOutput;
  readonly #screen: TerminalScreen;
  readonly #frames: FrameScheduler;
  readonly #decoder: InputDecoder;
  readonly #hideHooks = new Set<() => void>();
  readonly #stopWatching: () => void;
  #onInput: (event: InputEvent) => boolean = () => false;
  #onRateChange: (intervalMs: number) => void = () => undefined;
  #resizeTimer: Timer | undefined;
  #suspended = false;
  #closed = false;

  constructor(options: TerminalOptions) {
    const { clock } = options;
    this.#options = options;
    this.#output = new ScreenOutput({
      target: options.output,
      clock,
      onGone: () => this.#vanish(),
    });
    this.#screen = new TerminalScreen({
      output: this.#output,
      display: detectDisplay(options.env, options.wishes),
      clock,
      mouse: options.mouse ?? false,
    });
    this.#frames = new FrameScheduler({
      clock,
      draw: () => this.#draw(),
      onRateChange: (intervalMs) => this.#onRateChange(intervalMs),
    });
    this.#decoder = new InputDecoder({
      clock,
      emit: (event) => this.#dispatch(event),
      ...(options.escDelayMs === undefined ? {} : { escDelayMs: options.escDelayMs }),
    });
    this.#stopWatching = this.#listen();
    this.#frames.request();
  }

  /** What the terminal can do and how it is drawn on. */
  get display(): Display {
    return this.#screen.display;
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

  /** True while clicks are reported. */
  get mouse(): boolean {
    return this.#screen.mouse;
  }

  /** Adds a sheet on top of the others; the first one should be opaque. */
  addLayer(content: Paintable, options: { readonly opaque: boolean }): Layer {
    const layer = this.#screen.addLayer(content, options.opaque);
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
    if (!this.#visible) return;
    this.#screen.clear();
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
   * Runs before the terminal is left for a while or for good: what must not be seen when it comes
   * back is hidden here. Returns how to stop listening.
   */
  onHide(hook: () => void): () => void {
    this.#hideHooks.add(hook);
    return () => this.#hideHooks.delete(hook);
  }

  /** Switches the reporting of clicks. */
  setMouse(on: boolean): void {
    if (this.mouse !== on) this.#screen.setMouse(on, this.#visible);
  }

  /** Draws in other colours from now on. */
  setTheme(name: ThemeName): void {
    this.#screen.setTheme(name);
    this.redraw();
  }

  /** Writes a control sequence that is no drawing, e.g. one for the clipboard. */
  send(sequence: string): void {
    if (this.#visible) this.#screen.send(sequence);
  }

  /** Gives the terminal back to the shell until the job is continued. */
  suspend(): void {
    if (!this.#visible) return;
    this.#hide();
    this.#suspended = true;
    this.#frames.hold();
    this.#screen.leave();
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
    this.#hide();
    this.#closed = true;
    this.#frames.hold();
    this.#resizeTimer?.cancel();
    this.#decoder.close();
    this.#stopWatching();
    if (!this.#suspended) this.#screen.leave();
    this.#screen.destroy();
    this.#setRawMode(false);
    this.#options.input.pause();
    this.#output.detach();
    this.#options.onClose?.();
  }

  /** True while the dashboard is what the user sees. */
  get #visible(): boolean {
    return !this.#closed && !this.#suspended;
  }

  #listen(): () => void {
    const { input, output, process } = this.#options;
    const onData = (chunk: Buffer): void => {
      if (!this.#suspended) this.#decoder.feed(chunk);
    };
    // Nobody can press a key any more. A terminal that ends is gone, which SIGHUP may tell later only.
    const onEnd = (): void => (input.isTTY === true ? this.#vanish() : this.quit(0));
    const onResize = (): void => this.#awaitSize();
    input.on("data", onData);
    input.on("end", onEnd);
    input.on("error", (error) => this.#crash(error));
    output.on("resize", onResize);
    this.#output.on("drain", () => this.requestFrame());
    const stop = watchProcess(process, {
      onSignal: (signal) => this.#exitBySignal(signal),
      onContinue: () => this.#continue(),
      onCrash: (error) => this.#crash(error),
      onExit: () => this.close(),
    });
    this.#setRawMode(true);
    input.resume();
    return () => {
      input.off("data", onData);
      input.off("end", onEnd);
      output.off("resize", onResize);
      stop();
    };
  }

  /** Frames stop until the size stands still: each one before that would be for a wrong size. */
  #awaitSize(): void {
    this.#frames.hold();
    this.#resizeTimer?.cancel();
    this.#resizeTimer = this.#options.clock.setTimer(() => this.#settle(), resizeSettleMs);
  }

  #settle(): void {
    this.#resizeTimer = undefined;
    if (!this.#visible) return;
    const { columns, rows } = this.#options.output;
    this.#output.resizeTo(Math.max(1, columns ?? 80), Math.max(1, rows ?? 24));
    this.#frames.release();
    this.#frames.now();
  }

  #continue(): void {
    if (this.#closed) return;
    // Stopped by somebody else, without having given the terminal back: a shell has taken and changed it since, and
    // what is on already would not be set again.
    if (!this.#suspended) this.#setRawMode(false);
    this.#suspended = false;
    this.#setRawMode(true);
    this.#options.input.resume();
    this.#screen.enter();
    // The window may have changed while another program had it.
    this.#settle();
  }

  #crash(error: unknown): void {
    if (this.#closed) return;
    if (isTerminalGone(error)) return this.#vanish();
    // First of all the terminal: whatever fails from here on is printed on a usable one.
    this.close();
    const path = this.#options.writeCrashLog?.(error);
    const reason = error instanceof Error ? error.message : String(error);
    const details = path === undefined ? "" : ` Details: ${path}`;
    this.#options.process.complain(`latchkey: the dashboard stopped: ${safe(reason)}.${details}`);
    this.#options.process.exit(1);
  }

  #exitBySignal(signal: ExitSignal): void {
    this.close();
    // Node aborts when it resets a tty that is gone, so exit is not taken then.
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

  #dispatch(event: InputEvent): void {
    if (this.#closed) return;
    // Keys must not act on forms that are too small to be seen.
    const used = !this.#screen.tooSmall && this.#onInput(event);
    if (!used && event.type === "key") this.#fallback(event.name);
    this.requestFrame("input");
  }

  #fallback(key: string): void {
    if (key === "ctrl-c") this.quit(0);
    else if (key === "ctrl-z") this.suspend();
    else if (key === "ctrl-l") this.redraw();
  }

  #draw(): number {
    if (!this.#visible || this.#output.blocked) return 0;
    return this.#screen.draw();
  }

  #hide(): void {
    for (const hook of this.#hideHooks) hook();
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
