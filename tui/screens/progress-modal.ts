import type { InputEvent } from "../term/input.js";
import type { Painter } from "../term/painter.js";
import { safe, wrap } from "../term/safe.js";
import type { StyleName } from "../term/theme.js";
import { barSpans } from "../widgets/meter.js";
import type { Modal } from "../widgets/modal.js";
import { spinner } from "../widgets/table-state.js";
import type { Hint, Widget } from "../widgets/widget.js";
import { refused } from "./actions.js";
import { spinUntil } from "./spin.js";
import type { ViewContext } from "./view.js";

/** How far something on the server is. */
export interface Progress {
  readonly done: number;
  readonly total: number;
  /** Words beside the bar, e.g. `1200 of 10000 secrets`. */
  readonly text: string;
  /** How it ended; absent while it runs. */
  readonly end?: "done" | "failed";
}

export interface ProgressOptions {
  readonly title: string;
  readonly permission: string;
  readonly follow: (signal: AbortSignal) => AsyncIterable<Progress>;
  /** What closing the window does to the work, e.g. that it goes on. */
  readonly note: string;
  readonly onEnd: () => void;
}

const WIDTH = 66;
const HEIGHT = 6;

/** Follows work on the server until it ends; Esc only leaves the window. */
export function openProgress(context: ViewContext, options: ProgressOptions): void {
  const abort = new AbortController();
  const page = new ProgressPage(options.note, () => modal.close());
  const modal: Modal = context.modals.open({
    title: options.title,
    width: WIDTH,
    height: HEIGHT,
    body: page,
    onClose: () => {
      abort.abort();
      options.onEnd();
    },
  });
  spinUntil(context, () => abort.signal.aborted || page.ended);
  void follow(context, options, page, abort.signal);
}

async function follow(
  context: ViewContext,
  options: ProgressOptions,
  page: ProgressPage,
  signal: AbortSignal,
): Promise<void> {
  try {
    for await (const progress of options.follow(signal)) page.show(progress);
    page.finish();
  } catch (thrown) {
    if (signal.aborted) return;
    page.fail(refused(context, options.permission, thrown));
  }
  context.requestFrame();
}

class ProgressPage implements Widget {
  readonly #note: string;
  readonly #close: () => void;
  #progress: Progress = { done: 0, total: 0, text: "" };
  #failure: string | undefined;
  #ended = false;

  constructor(note: string, close: () => void) {
    this.#note = note;
    this.#close = close;
  }

  get ended(): boolean {
    return this.#ended;
  }

  show(progress: Progress): void {
    this.#progress = progress;
    if (progress.end === "failed") this.fail(progress.text);
  }

  finish(): void {
    this.#ended = true;
  }

  fail(message: string): void {
    this.#failure = message;
    this.#ended = true;
  }

  handle(event: InputEvent): boolean {
    if (event.type !== "key") return true;
    if (["esc", "q", "enter"].includes(event.name)) this.#close();
    return true;
  }

  hints(): readonly Hint[] {
    return [this.#ended ? ["enter", "close"] : ["esc", "leave"]];
  }

  paint(painter: Painter): void {
    const { done, total, text } = this.#progress;
    const fine: StyleName = this.#ended ? "ok" : "accent";
    const style: StyleName = this.#failure === undefined ? fine : "danger";
    const whole = this.#ended && this.#failure === undefined && total === 0;
    const bar = { value: whole ? 1 : done, max: Math.max(1, total), width: WIDTH - 10, style };
    painter.spans(0, 0, barSpans(bar, painter.glyphs));
    const lines = wrap(safe(this.#failure ?? text), painter.width).slice(0, 3);
    lines.forEach((line, i) => {
      painter.text(0, 1 + i, line, this.#failure === undefined ? "text" : "danger");
    });
    const last = painter.height - 1;
    if (this.#ended) painter.text(0, last, "<enter> close", "key");
    else painter.text(0, last, `${spinner(painter)} ${this.#note}`, "muted");
  }
}
