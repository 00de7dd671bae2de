import type { Clock, Timer } from "../term/clock.js";
import { paintedWidth, type Painter } from "../term/painter.js";
import type { StyleName } from "../term/theme.js";

/** A short message and how serious it is. */
export interface Toast {
  readonly text: string;
  readonly tone: "ok" | "warn" | "danger";
}

/** How long a toast stays, in milliseconds; failures stay longer. */
const stayMs = { ok: 3000, warn: 5000, danger: 8000 } as const;

/** More would cover the view. */
const toastsMax = 3;

const STYLES: Readonly<Record<Toast["tone"], StyleName>> = {
  ok: "toastOk",
  warn: "toastWarn",
  danger: "toastDanger",
};

/**
 * Short messages that go away on their own, at the lower right of the painter.
 * ```ts
 * const toasts = new Toasts({ clock, requestFrame: () => terminal.requestFrame() });
 * toasts.show({ text: 'sent to terminal (OSC 52)', tone: 'ok' });
 * toasts.paint(viewArea);
 * ```
 */
export class Toasts {
  readonly #clock: Clock;
  readonly #requestFrame: () => void;
  #shown: { readonly toast: Toast; readonly timer: Timer }[] = [];

  constructor(options: { readonly clock: Clock; readonly requestFrame: () => void }) {
    this.#clock = options.clock;
    this.#requestFrame = options.requestFrame;
  }

  /** Shows a message; the same message again only stays longer. */
  show(toast: Toast): void {
    this.#drop((other) => other.text === toast.text);
    const timer = this.#clock.setTimer(() => {
      this.#drop((other) => other === toast);
      this.#requestFrame();
    }, stayMs[toast.tone]);
    this.#shown.push({ toast, timer });
    while (this.#shown.length > toastsMax) this.#shown.shift()?.timer.cancel();
    this.#requestFrame();
  }

  paint(painter: Painter): void {
    this.#shown.forEach(({ toast }, i) => {
      const { glyphs } = painter;
      const mark = { ok: glyphs.done, warn: glyphs.warn, danger: glyphs.fail }[toast.tone];
      const text = ` ${mark} ${toast.text} `;
      const width = Math.min(paintedWidth(text), painter.width - 2);
      const y = painter.height - this.#shown.length + i;
      painter.field({ x: painter.width - width - 1, y, width }, text, STYLES[toast.tone]);
    });
  }

  /** Stops all timers. */
  destroy(): void {
    this.#drop(() => true);
  }

  #drop(which: (toast: Toast) => boolean): void {
    for (const { toast, timer } of this.#shown) if (which(toast)) timer.cancel();
    this.#shown = this.#shown.filter(({ toast }) => !which(toast));
  }
}
