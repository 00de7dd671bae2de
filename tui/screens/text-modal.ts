import type { InputEvent } from "../term/input.js";
import type { Painter, Span } from "../term/painter.js";
import { paintHints } from "../widgets/bars.js";
import type { Modal } from "../widgets/modal.js";
import { spinner } from "../widgets/table-state.js";
import type { Hint, Widget } from "../widgets/widget.js";
import { copyText, refused } from "./actions.js";
import { spinUntil } from "./spin.js";
import type { ViewContext } from "./view.js";

type Lines = readonly (readonly Span[])[];

export interface TextModalOptions {
  readonly title: string;
  readonly permission: string;
  readonly fetch: (signal: AbortSignal) => Promise<Lines>;
  /** What `c` copies, once the lines are there. */
  readonly copy?: { readonly what: string; readonly text: () => string };
  /** Over the whole terminal and without a frame: what a mouse selects there is the text alone. */
  readonly plain?: boolean;
}

const WIDTH = 100;
const HEIGHT = 24;
/** Further than any text goes. */
const LINES_MAX = 1_000_000;

/** Opens a window with lines that the server is asked for; j and k scroll, Esc closes. */
export function openText(context: ViewContext, options: TextModalOptions): void {
  const abort = new AbortController();
  const { title, copy, plain = false } = options;
  const page = new TextPage({
    ...(plain ? { title } : {}),
    close: () => modal.close(),
    ...(copy === undefined ? {} : { copy: () => copyText(context, copy.what, copy.text()) }),
  });
  const modal: Modal = context.modals.open({
    title,
    width: plain ? Infinity : WIDTH,
    height: plain ? Infinity : HEIGHT,
    blank: plain,
    frameless: plain,
    body: page,
    onClose: () => abort.abort(),
  });
  spinUntil(context, () => abort.signal.aborted || page.settled);
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

interface TextPageOptions {
  /** Painted by the page itself, with its keys, where there is no frame for them. */
  readonly title?: string;
  readonly close: () => void;
  readonly copy?: () => void;
}

class TextPage implements Widget {
  readonly #options: TextPageOptions;
  #lines: Lines | undefined;
  #top = 0;
  #page = 1;

  constructor(options: TextPageOptions) {
    this.#options = options;
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
    else if (event.name === "c" && this.settled) this.#options.copy?.();
    else if (["esc", "enter", "q"].includes(event.name)) this.#options.close();
    return true;
  }

  hints(): readonly Hint[] {
    const copies: readonly Hint[] = this.#options.copy === undefined ? [] : [["c", "copy"]];
    const scrolls: readonly Hint[] =
      (this.#lines?.length ?? 0) > this.#page ? [["j k", "scroll"]] : [];
    return [...copies, ...scrolls, ["esc", "close"]];
  }

  paint(painter: Painter): void {
    const { title } = this.#options;
    if (title === undefined) return this.#paintLines(painter);
    const { width, height, glyphs } = painter;
    painter.text(1, 0, title, "title");
    painter.text(0, 1, glyphs.box.horizontal.repeat(width), "border");
    this.#paintLines(painter.within({ x: 0, y: 3, width, height: height - 4 }));
    paintHints(painter.within({ x: 0, y: height - 1, width, height: 1 }), this.hints());
  }

  #paintLines(painter: Painter): void {
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
