import blessed, { type Widgets } from "blessed";
import type { BlessedScreen } from "./blessed-screen.js";
import type { Display } from "./environment.js";
import { Painter, type Canvas, type Guest } from "./painter.js";
import type { Rect } from "./rect.js";
import { Surface, transparent } from "./surface.js";
import { packStyle } from "./theme.js";

/** Something that paints itself anew in each frame. */
export interface Paintable {
  /** Draws the newest state. Must not keep the painter: it is valid in this frame only. */
  paint(painter: Painter): void;
}

/** A sheet of the screen; sheets lie above each other in the order they were added. */
export interface Layer {
  /** Takes the sheet and every chart on it off the screen. */
  remove(): void;
}

/** What a frame tells its layers. */
export interface FrameState {
  readonly frameTime: number;
  cursor: { readonly x: number; readonly y: number } | undefined;
}

/**
 * One blessed element of the size of the screen. Our cells are copied into blessed's buffer where
 * blessed would render text content, which keeps its wrapping, tags and width counting out of it.
 */
export class ScreenLayer implements Layer {
  readonly #screen: BlessedScreen;
  readonly #display: () => Display;
  readonly #content: Paintable;
  readonly #opaque: boolean;
  readonly #frame: () => FrameState;
  readonly #element: Widgets.BoxElement;
  #surface = new Surface(1, 1);
  #guests = new Map<Guest, Rect>();

  constructor(options: {
    readonly screen: BlessedScreen;
    readonly display: () => Display;
    readonly content: Paintable;
    /** An opaque layer starts each frame blank; others show what lies below. */
    readonly opaque: boolean;
    readonly frame: () => FrameState;
  }) {
    this.#screen = options.screen;
    this.#display = options.display;
    this.#content = options.content;
    this.#opaque = options.opaque;
    this.#frame = options.frame;
    this.#element = blessed.box({
      screen: options.screen as unknown as Widgets.Screen,
      top: 0,
      left: 0,
      width: "100%",
      height: "100%",
    });
    this.#element.render = () => this.#render();
    options.screen.append(this.#element);
  }

  remove(): void {
    for (const guest of this.#guests.keys()) guest.remove();
    this.#guests.clear();
    this.#screen.remove(this.#element);
  }

  #render(): Widgets.Coords {
    const { cols, rows } = this.#screen;
    if (this.#surface.columns !== cols || this.#surface.rows !== rows) {
      this.#surface = new Surface(cols, rows);
    }
    this.#surface.clear(this.#opaque ? packStyle({}) : transparent);
    const frame = this.#frame();
    const display = this.#display();
    const canvas: Canvas = {
      surface: this.#surface,
      theme: display.theme,
      glyphs: display.glyphs,
      unicode: display.unicode,
      frameTime: frame.frameTime,
      cursor: frame.cursor,
      guests: new Map(),
    };
    this.#content.paint(new Painter(canvas, { x: 0, y: 0, width: cols, height: rows }));
    frame.cursor = canvas.cursor;
    this.#placeGuests(canvas.guests);
    this.#copy();
    // Children find their own place from the one their parent was last drawn at.
    const place = { xi: 0, xl: cols, yi: 0, yl: rows } as Widgets.Coords;
    Object.assign(this.#element, { lpos: place });
    for (const child of this.#element.children) (child as Widgets.BlessedElement).render();
    return place;
  }

  #placeGuests(painted: Map<Guest, Rect>): void {
    for (const guest of this.#guests.keys()) if (!painted.has(guest)) guest.remove();
    const host = { screen: this.#screen as unknown as Widgets.Screen, parent: this.#element };
    for (const [guest, rect] of painted) {
      guest.place(rect, host);
      this.#surface.punch(rect);
    }
    this.#guests = painted;
  }

  #copy(): void {
    const { chars, attrs, columns, rows } = this.#surface;
    for (let y = 0; y < rows; y += 1) {
      const line = this.#screen.lines[y];
      if (line === undefined) return;
      for (let x = 0; x < columns; x += 1) {
        const attr = attrs[y * columns + x] ?? transparent;
        const cell = line[x];
        if (attr === transparent || cell === undefined) continue;
        const char = chars[y * columns + x] ?? " ";
        if (cell[0] === attr && cell[1] === char) continue;
        cell[0] = attr;
        cell[1] = char;
        line.dirty = true;
      }
    }
  }
}
