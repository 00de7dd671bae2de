import type { Rect } from "./rect.js";

/** Marks a cell through which the layer below is seen. */
export const transparent = -1;

/**
 * A grid of cells a layer paints on before anything reaches the terminal. A wide character takes
 * its own cell and an empty one to its right.
 */
export class Surface {
  readonly columns: number;
  readonly rows: number;
  readonly chars: string[];
  readonly attrs: Int32Array;

  constructor(columns: number, rows: number) {
    this.columns = columns;
    this.rows = rows;
    this.chars = Array.from({ length: columns * rows }, () => " ");
    this.attrs = new Int32Array(columns * rows).fill(transparent);
  }

  /** Empties the grid: to blanks of one look, or to nothing where layers below show. */
  clear(attr: number): void {
    this.chars.fill(" ");
    this.attrs.fill(attr);
  }

  /** Writes one cell; outside the grid nothing happens. */
  set(x: number, y: number, char: string, attr: number): void {
    if (x < 0 || y < 0 || x >= this.columns || y >= this.rows) return;
    const index = y * this.columns + x;
    this.chars[index] = char;
    this.attrs[index] = attr;
  }

  /** The look of one cell, or `transparent`. */
  attrAt(x: number, y: number): number {
    if (x < 0 || y < 0 || x >= this.columns || y >= this.rows) return transparent;
    return this.attrs[y * this.columns + x] ?? transparent;
  }

  /** Lets a rectangle show what lies below. */
  punch(rect: Rect): void {
    for (let y = rect.y; y < rect.y + rect.height; y += 1) {
      for (let x = rect.x; x < rect.x + rect.width; x += 1) this.set(x, y, " ", transparent);
    }
  }
}
