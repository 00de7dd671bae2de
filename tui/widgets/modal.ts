import type { InputEvent } from "../term/input.js";
import type { Layer, Paintable } from "../term/layer.js";
import type { Painter } from "../term/painter.js";
import { centered } from "../term/rect.js";
import { paintPane } from "./pane.js";
import type { Hint, Widget } from "./widget.js";

/** A window over the screen that takes all keys while it is open. */
export interface ModalOptions {
  readonly title: string;
  /** Cells of the inside; less is given when the terminal is smaller. */
  readonly width: number;
  readonly height: number;
  readonly body: Widget;
  readonly tone?: "modal" | "danger";
  /** Hides everything below, for what must not stand beside other text. */
  readonly blank?: boolean;
  /** The body gets the whole area without a frame around it. */
  readonly frameless?: boolean;
  /** What Esc does; default closes the modal. Use it to ask before work is lost. */
  readonly onEsc?: () => void;
  /** Called once, however the modal was closed. */
  readonly onClose?: () => void;
}

/** An open modal. */
export interface Modal {
  /** Closes it; a second call does nothing. */
  close(): void;
}

/** What the stack needs of the terminal. */
export interface ModalHost {
  addLayer(content: Paintable, options: { readonly opaque: boolean }): Layer;
  requestFrame(reason?: "data" | "input"): void;
}

interface OpenModal extends Modal {
  readonly options: ModalOptions;
}

/**
 * The modals of a dashboard, the newest on top. While one is open it gets every event; nothing
 * falls through to the view below, whatever the modal does with it.
 * ```ts
 * const modals = new ModalStack(terminal);
 * const modal = modals.open({ title: 'New key', width: 60, height: 12, body: form });
 * terminal.onInput((event) => modals.handle(event) || view.handle(event));
 * ```
 */
export class ModalStack {
  readonly #host: ModalHost;
  readonly #open: OpenModal[] = [];
  #layer: Layer | undefined;

  constructor(host: ModalHost) {
    this.#host = host;
  }

  /** How many are open. */
  get depth(): number {
    return this.#open.length;
  }

  /** What the keys do in the top modal; undefined while none is open. */
  get hints(): readonly Hint[] | undefined {
    const top = this.#open.at(-1);
    return top === undefined ? undefined : (top.options.body.hints?.() ?? [["esc", "close"]]);
  }

  /** Opens a modal on top of the others. */
  open(options: ModalOptions): Modal {
    const modal: OpenModal = { options, close: () => this.#close(modal) };
    this.#open.push(modal);
    this.#layer ??= this.#host.addLayer(this.#content, { opaque: false });
    this.#host.requestFrame("input");
    return modal;
  }

  /** Closes all of them, e.g. when the session ended. */
  closeAll(): void {
    for (const modal of this.#open.toReversed()) modal.close();
  }

  /** Gives an event to the top modal; true while one is open. */
  handle(event: InputEvent): boolean {
    const top = this.#open.at(-1);
    if (top === undefined) return false;
    // Ctrl-C must quit and Ctrl-Z must suspend from anywhere.
    if (event.type === "key" && PASSED_ON.has(event.name)) return false;
    const used = top.options.body.handle?.(event) ?? false;
    if (!used && event.type === "key" && event.name === "esc") {
      if (top.options.onEsc === undefined) top.close();
      else top.options.onEsc();
    }
    this.#host.requestFrame("input");
    return true;
  }

  readonly #content: Paintable = {
    paint: (painter) => {
      for (const modal of this.#open) paintModal(painter, modal.options);
    },
  };

  #close(modal: OpenModal): void {
    const at = this.#open.indexOf(modal);
    if (at < 0) return;
    this.#open.splice(at, 1);
    modal.options.body.destroy?.();
    if (this.#open.length === 0) {
      this.#layer?.remove();
      this.#layer = undefined;
    }
    this.#host.requestFrame("input");
    modal.options.onClose?.();
  }
}

const PASSED_ON = new Set(["ctrl-c", "ctrl-z", "ctrl-l"]);

function paintModal(painter: Painter, options: ModalOptions): void {
  if (options.blank === true) painter.cover(painter.area);
  // The form below must not keep the cursor.
  painter.hideCursor();
  if (options.frameless === true) {
    options.body.paint(painter.within(centered(painter.area, options.width, options.height)));
    return;
  }
  // The last row tells the window's keys.
  const above = { ...painter.area, height: painter.height - 1 };
  const box = painter.within(centered(above, options.width + 4, options.height + 2));
  box.cover(box.area, "modal");
  const inner = paintPane(box, { title: options.title, tone: options.tone ?? "modal" });
  options.body.paint(inner);
}
