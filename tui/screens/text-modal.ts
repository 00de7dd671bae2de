import type { InputEvent } from "../term/input.js";
import type { Painter, Span } from "../term/painter.js";
import type { Modal } from "../widgets/modal.js";
import { spinner } from "../widgets/table-state.js";
import type { Widget } from "../widgets/widget.js";
import { refused } from "./actions.js";
import type { ViewContext } from "./view.js";

type Lines = readonly (readonly Span[])[];

export interface TextModalOptions {
  readonly title: string;
  readonly permission: string;
  readonly fetch: (signal: AbortSignal) => Promise<Lines>;
}

const WIDTH = 100;
const HEIGHT = 24;
const FRAME_MS = 100;
/** Further than any text goes. */
const LINES_MAX = 1_000_000;

/** Opens a window with lines that the server is asked for; j and k scroll, Esc closes. */
export function openText(context: ViewContext, options: TextModalOptions): void {
  const abort = new AbortController();
  const page = new TextPage(() => modal.close());
  const modal: Modal = context.modals.open({
    title: options.title,
    width: WIDTH,
    height: HEIGHT,
    body: page,
    onClose: () => abort.abort(),
  });
  const spin = (): void => {
    if (abort.signal.aborted || page.settled) return;
    context.requestFrame();
    context.clock.setTimer(spin, FRAME_MS);
  };
  spin();
  options
    .fetch(abort.signal)
    .then(
      (lines) => page.show(lines),
      (thrown: unknown) => {
        if (abort.signal.aborted) return;
        page.show([[{ text: refused(context, options.permission, thrown), style: "danger" }]]);
      },
    )
    .finally(() => context.requestFrame());
}

class TextPage implements Widget {
  readonly #close: () => void;
  #lines: Lines | undefined;
  #top = 0;
  #page = 1;

  constructor(close: () => void) {
    this.#close = close;
  }

  get settled(): boolean {
    return this.#lines !== undefined;
  }

  show(lines: Lines): void {
    this.#lines = lines;
  }

  handle(event: InputEvent): boolean {
    if (event.type !== "key") return true;
    const steps: Readonly<Record<string, number>> = {
      j: 1,
      down: 1,
      k: -1,
      up: -1,
      pagedown: this.#page,
      "ctrl-f": this.#page,
      pageup: -this.#page,
      "ctrl-b": -this.#page,
      g: -LINES_MAX,
      G: LINES_MAX,
    };
    const step = steps[event.name];
    if (step !== undefined) this.#top += step;
    else if (["esc", "enter", "q"].includes(event.name)) this.#close();
    return true;
  }

  paint(painter: Painter): void {
    this.#page = Math.max(1, painter.height);
    if (this.#lines === undefined) {
      painter.text(0, 0, `${spinner(painter)} asking the server`, "muted");
      return;
    }
    this.#top = Math.max(0, Math.min(this.#top, this.#lines.length - this.#page));
    this.#lines.slice(this.#top, this.#top + this.#page).forEach((line, y) => {
      painter.spans(0, y, line);
    });
  }
}
