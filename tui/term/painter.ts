import type { Widgets } from "blessed";
import type { Glyphs } from "./glyphs.js";
import { intersect, type Rect } from "./rect.js";
import { asciiOnly, cut, fit, safe, type Align } from "./safe.js";
import { transparent, type Surface } from "./surface.js";
import { overlayStyle, packStyle, type Style, type StyleRef, type Theme } from "./theme.js";
import { clusters, isPlainAscii, textWidth } from "./width.js";

/** A piece of text with one look. */
export interface Span {
  readonly text: string;
  readonly style?: StyleRef;
}

/** Where a drawing of blessed-contrib is attached. */
export interface GuestHost {
  readonly screen: Widgets.Screen;
  readonly parent: Widgets.BoxElement;
}

/** A drawing made by blessed-contrib that stands on cells of its own inside a layer. */
export interface Guest {
  /** Puts the drawing on these absolute cells; called in each frame that painted the guest. */
  place(rect: Rect, host: GuestHost): void;
  /** Takes the drawing off the screen; called in the first frame that did not paint it. */
  remove(): void;
}

/** What all painters of one frame share. */
export interface Canvas {
  readonly surface: Surface;
  readonly theme: Theme;
  readonly glyphs: Glyphs;
  /** False when only ASCII may be sent; the painter then replaces everything else. */
  readonly unicode: boolean;
  /** Monotonic milliseconds at the start of the frame, for spinners and charts. */
  readonly frameTime: number;
  /** Where the terminal's cursor is to stand after the frame, if anywhere. */
  cursor: { readonly x: number; readonly y: number } | undefined;
  readonly guests: Map<Guest, Rect>;
}

/**
 * Draws on a rectangle of a layer. All text is made safe and cut to the rectangle here, so a
 * widget can neither leave its area nor let a control character through.
 */
export class Painter {
  readonly #canvas: Canvas;
  readonly #area: Rect;

  constructor(canvas: Canvas, area: Rect) {
    this.#canvas = canvas;
    this.#area = intersect(
      { x: 0, y: 0, width: canvas.surface.columns, height: canvas.surface.rows },
      area,
    );
  }

  get width(): number {
    return this.#area.width;
  }

  get height(): number {
    return this.#area.height;
  }

  /** This painter's whole area in its own coordinates, to be split further. */
  get area(): Rect {
    return { x: 0, y: 0, width: this.width, height: this.height };
  }

  /** The same cells in coordinates of the terminal, e.g. to match mouse clicks. */
  get absolute(): Rect {
    return this.#area;
  }

  get theme(): Theme {
    return this.#canvas.theme;
  }

  get glyphs(): Glyphs {
    return this.#canvas.glyphs;
  }

  /** Monotonic milliseconds at the start of this frame. */
  get frameTime(): number {
    return this.#canvas.frameTime;
  }

  /** A painter for a part of this one; what reaches over the edge is cut. */
  within(rect: Rect): Painter {
    const absolute = { ...rect, x: rect.x + this.#area.x, y: rect.y + this.#area.y };
    return new Painter(this.#canvas, intersect(this.#area, absolute));
  }

  /** Writes text from `x` on; returns the cells used. Too long text ends in an ellipsis. */
  text(x: number, y: number, text: string, style: StyleRef = "text"): number {
    return this.#write({ x, y, width: Infinity }, text, style);
  }

  /** Writes text in a field of exactly `width` cells. */
  field(
    at: { x: number; y: number; width: number; align?: Align },
    text: string,
    style: StyleRef = "text",
  ): void {
    const room = Math.min(at.width, this.width - at.x);
    if (at.y < 0 || at.y >= this.height || room <= 0) return;
    const shown = fit(this.#printable(text), room, at.align, this.glyphs.ellipsis);
    this.#put(at.x, at.y, shown, packStyle(this.style(style)));
  }

  /** Writes pieces one after another in at most `width` cells; returns the cells used. */
  spans(x: number, y: number, spans: readonly Span[], width = Infinity): number {
    const end = x + Math.min(width, this.width - x);
    let at = x;
    for (const span of spans) {
      if (at >= end) break;
      at += this.#write({ x: at, y, width: end - at }, span.text, span.style ?? "text");
    }
    return at - x;
  }

  /** Covers a rectangle with one character, by default blanks. */
  cover(rect: Rect, style: StyleRef = "text", char = " "): void {
    const part = intersect(this.area, rect);
    const attr = packStyle(this.style(style));
    for (let y = part.y; y < part.y + part.height; y += 1) {
      for (let x = part.x; x < part.x + part.width; x += 1) this.#cell(x, y, char, attr);
    }
  }

  /** Lays the set parts of a style over cells that are already painted. */
  tint(rect: Rect, style: StyleRef): void {
    const part = intersect(this.area, rect);
    const over = this.style(style);
    const { surface } = this.#canvas;
    for (let y = part.y + this.#area.y; y < part.y + part.height + this.#area.y; y += 1) {
      const start = y * surface.columns + part.x + this.#area.x;
      for (let index = start; index < start + part.width; index += 1) {
        const under = surface.attrs[index] ?? transparent;
        if (under !== transparent) surface.attrs[index] = overlayStyle(under, over);
      }
    }
  }

  /** Draws the outline of a rectangle; its inside is left alone. */
  frame(rect: Rect, style: StyleRef = "border"): void {
    if (rect.width < 2 || rect.height < 2) return;
    const { box } = this.glyphs;
    const line = box.horizontal.repeat(rect.width - 2);
    const bottom = rect.y + rect.height - 1;
    this.text(rect.x, rect.y, box.topLeft + line + box.topRight, style);
    this.text(rect.x, bottom, box.bottomLeft + line + box.bottomRight, style);
    for (let y = rect.y + 1; y < bottom; y += 1) {
      this.text(rect.x, y, box.vertical, style);
      this.text(rect.x + rect.width - 1, y, box.vertical, style);
    }
  }

  /** Asks for the terminal's cursor on a cell of this painter. The last call of a frame wins. */
  cursor(x: number, y: number): void {
    if (x < 0 || y < 0 || x >= this.width || y >= this.height) return;
    this.#canvas.cursor = { x: x + this.#area.x, y: y + this.#area.y };
  }

  /** Takes back any wish for a cursor made below, e.g. by a form under a modal. */
  hideCursor(): void {
    this.#canvas.cursor = undefined;
  }

  /** Leaves this painter's whole area to a drawing of blessed-contrib. */
  guest(guest: Guest): void {
    if (this.width <= 0 || this.height <= 0) return;
    this.#canvas.guests.set(guest, this.#area);
  }

  /** The look behind a name. */
  style(style: StyleRef): Style {
    return typeof style === "string" ? this.#canvas.theme.styles[style] : style;
  }

  #write(at: { x: number; y: number; width: number }, text: string, style: StyleRef): number {
    const room = Math.min(at.width, this.width - at.x);
    if (at.y < 0 || at.y >= this.height || room <= 0) return 0;
    const shown = cut(this.#printable(text), room, this.glyphs.ellipsis);
    return this.#put(at.x, at.y, shown, packStyle(this.style(style)));
  }

  #printable(text: string): string {
    const clean = safe(text);
    return this.#canvas.unicode ? clean : asciiOnly(clean);
  }

  #put(x: number, y: number, text: string, attr: number): number {
    if (isPlainAscii(text)) {
      for (let i = 0; i < text.length; i += 1) this.#cell(x + i, y, text.charAt(i), attr);
      return text.length;
    }
    let at = x;
    for (const cluster of clusters(text)) {
      this.#cell(at, y, cluster.text, attr);
      if (cluster.width === 2) this.#cell(at + 1, y, "", attr);
      at += cluster.width;
    }
    return at - x;
  }

  #cell(x: number, y: number, char: string, attr: number): void {
    if (x < 0 || x >= this.width) return;
    this.#canvas.surface.set(x + this.#area.x, y + this.#area.y, char, attr);
  }
}

/** Cells a text will take once painted. */
export function paintedWidth(text: string): number {
  return textWidth(safe(text));
}
