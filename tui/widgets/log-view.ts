import type { Painter, Span } from "../term/painter.js";
import type { Binding } from "../term/keymap.js";
import type { Widget } from "./widget.js";

/** One line of a log; what it means was decided before it came here. */
export type LogLine = readonly Span[];

/** Lines kept by default. */
const capacityDefault = 1000;

/**
 * The newest lines of a stream. It keeps a bounded number of them and touches only the visible
 * ones, so its cost does not grow with what flows through it.
 * ```ts
 * const log = new LogView({ capacity: 500 });
 * log.push([{ text: '11:21:07 ' }, { text: '429', style: 'warn' }]);
 * log.paint(inner);
 * ```
 */
export class LogView implements Widget {
  readonly #capacity: number;
  readonly #emptyText: string;
  readonly #ring: LogLine[] = [];
  #first = 0;
  #back = 0;
  #page = 1;

  constructor(options: { readonly capacity?: number; readonly emptyText?: string } = {}) {
    this.#capacity = options.capacity ?? capacityDefault;
    this.#emptyText = options.emptyText ?? "nothing yet";
  }

  get length(): number {
    return this.#ring.length;
  }

  /** True while the newest line is shown as it comes. */
  get following(): boolean {
    return this.#back === 0;
  }

  /** Lines that came since the view was scrolled back. */
  get newer(): number {
    return this.#back;
  }

  /** Adds lines, the newest last. A view that is scrolled back stays where it is. */
  push(...lines: readonly LogLine[]): void {
    for (const line of lines) {
      if (this.#ring.length < this.#capacity) this.#ring.push(line);
      else {
        this.#ring[this.#first] = line;
        this.#first = (this.#first + 1) % this.#capacity;
      }
    }
    if (this.#back > 0) this.#scrollTo(this.#back + lines.length);
  }

  clear(): void {
    this.#ring.length = 0;
    this.#first = 0;
    this.#back = 0;
  }

  /** Scrolls by lines: positive towards older ones. */
  scrollBy(lines: number): void {
    this.#scrollTo(this.#back + lines);
  }

  /** Shows the newest line again. */
  follow(): void {
    this.#back = 0;
  }

  /** What a log can do with keys, to be put into the keymap of the view. */
  bindings(): Binding[] {
    const page = (): number => Math.max(1, this.#page - 1);
    const rows = [
      ["log.down", ["j", "down"], "newer line", () => this.scrollBy(-1)],
      ["log.up", ["k", "up"], "older line", () => this.scrollBy(1)],
      ["log.page-down", ["ctrl-f", "pagedown"], "newer page", () => this.scrollBy(-page())],
      ["log.page-up", ["ctrl-b", "pageup"], "older page", () => this.scrollBy(page())],
      ["log.first", ["g", "home"], "oldest line", () => this.scrollBy(Infinity)],
      ["log.follow", ["G", "end", "f"], "follow the newest line", () => this.follow()],
    ] as const;
    return rows.map(([action, keys, description, run]) => ({
      action,
      keys,
      description,
      group: "LIST",
      run,
    }));
  }

  paint(painter: Painter): void {
    this.#page = Math.max(1, painter.height);
    if (this.#ring.length === 0) {
      painter.text(0, 0, this.#emptyText, "muted");
      return;
    }
    const rows = Math.min(painter.height, this.#ring.length);
    this.#back = Math.min(this.#back, this.#ring.length - rows);
    const start = this.#ring.length - this.#back - rows;
    for (let y = 0; y < rows; y += 1) painter.spans(0, y, this.#at(start + y));
  }

  #at(index: number): LogLine {
    return this.#ring[(this.#first + index) % this.#ring.length] ?? [];
  }

  #scrollTo(back: number): void {
    const most = Math.max(0, this.#ring.length - this.#page);
    this.#back = Math.min(most, Math.max(0, back));
  }
}
