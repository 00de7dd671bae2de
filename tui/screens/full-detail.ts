import { Keymap, type Binding } from "../term/keymap.js";
import type { Painter } from "../term/painter.js";
import { paintPane } from "../widgets/pane.js";
import { paintDetails, type Detail } from "./details.js";

/** One row shown over the whole view, for terminals without room for a pane beside the list. */
export class FullDetail {
  readonly keymap: Keymap;
  #open = false;
  #top = 0;
  #page = 1;

  constructor() {
    this.keymap = new Keymap(this.#bindings());
  }

  get isOpen(): boolean {
    return this.#open;
  }

  open(): void {
    this.#open = true;
    this.#top = 0;
  }

  /** False when it was not open. */
  close(): boolean {
    const was = this.#open;
    this.#open = false;
    return was;
  }

  paint(painter: Painter, title: string, details: readonly Detail[]): void {
    const inner = paintPane(painter, { title, focused: true, right: "esc: back" });
    this.#page = Math.max(1, inner.height);
    const rows = paintDetails(inner, details, this.#top);
    const last = Math.max(0, rows - inner.height);
    if (this.#top <= last) return;
    // Shorter than it was when it was scrolled: draw it again from where it ends now.
    this.#top = last;
    inner.cover(inner.area);
    paintDetails(inner, details, this.#top);
  }

  #bindings(): readonly Binding[] {
    const group = "DETAIL";
    const rows = [
      ["detail.down", ["j", "down"], "next line", 1],
      ["detail.up", ["k", "up"], "previous line", -1],
      ["detail.page-down", ["ctrl-f", "pagedown"], "next page", Infinity],
      ["detail.page-up", ["ctrl-b", "pageup"], "previous page", -Infinity],
    ] as const;
    const moves = rows.map(([action, keys, description, step]) => ({
      keys,
      action,
      description,
      group,
      run: () => this.#scroll(step),
    }));
    const back = { keys: ["enter"], action: "detail.back", description: "back to the list", group };
    return [...moves, { ...back, hint: "list", run: () => void this.close() }];
  }

  #scroll(step: number): void {
    const rows = Number.isFinite(step) ? step : Math.sign(step) * Math.max(1, this.#page - 1);
    this.#top = Math.max(0, this.#top + rows);
  }
}
