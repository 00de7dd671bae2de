import type { Span } from "../term/painter.js";
import type { Align } from "../term/safe.js";
import { divide, type Size } from "../term/rect.js";

/** What one cell shows: text, text with a look, or several pieces. */
export type CellContent = string | Span | readonly Span[];

/** One column of a table. */
export interface Column<Row> {
  /** Stable name, used for sorting and for remembering what the user chose. */
  readonly id: string;
  readonly title: string;
  /** Fixed cells, or a least width, a share of what is left over and a greatest width. */
  readonly width: number | { readonly min: number; readonly share: number; readonly max?: number };
  /** 0 is always shown; the column with the highest number is hidden first. Default 0. */
  readonly priority?: number;
  readonly align?: Align;
  readonly cell: (row: Row) => CellContent;
  /** Value to sort by; absent makes the column unsortable. Null sorts last. */
  readonly sortKey?: (row: Row) => string | number | null;
}

/** A column with its place. */
export interface PlacedColumn<Row> {
  readonly column: Column<Row>;
  readonly x: number;
  readonly width: number;
}

/** Cells of a table in the smallest terminal that most people have, of 80 columns. */
const NARROW_CELLS = 76;
/** Part of the cells beyond these that a column has for each of its shares before further columns are shown. */
const COMFORT = 0.1;
/** From so many cells on there are two between columns: the air is not worth the end of a name. */
const AIRY_CELLS = 140;

/** The cells that a column needs before a less important one is shown beside it. */
function neededWidth<Row>({ width }: Column<Row>, cells: number): number {
  if (typeof width === "number") return width;
  const comfort = Math.floor(Math.max(0, cells - NARROW_CELLS) * COMFORT * width.share);
  return Math.min(width.min + comfort, width.max ?? Infinity);
}

function gapFor(cells: number): number {
  return cells >= AIRY_CELLS ? 2 : 1;
}

/**
 * Chooses the columns that fit and gives each its cells. Columns leave by priority, never by being
 * squeezed under their least width; what is left over goes to the columns with a share, of which a wide
 * terminal brings more as well as further columns.
 */
export function placeColumns<Row>(
  columns: readonly Column<Row>[],
  width: number,
): PlacedColumn<Row>[] {
  const gap = gapFor(width);
  const shown = fitting(columns, width, gap);
  const room = Math.max(0, width - gap * Math.max(0, shown.length - 1));
  const widths = limitedWidths(shown, room);
  let x = 0;
  return shown.map((column, i) => {
    const own = widths[i] ?? 0;
    const placed = { column, x, width: own };
    x += own + gap;
    return placed;
  });
}

/**
 * The columns with the preferred ones next to the first. They are then taken from the left, as
 * many as fit, without regard to their own priority.
 */
export function preferColumns<Row>(
  columns: readonly Column<Row>[],
  preferred: readonly string[],
): readonly Column<Row>[] {
  const [first, ...others] = columns;
  if (first === undefined || preferred.length === 0) return columns;
  const front = others.filter((column) => preferred.includes(column.id));
  const back = others.filter((column) => !preferred.includes(column.id));
  return [first, ...[...front, ...back].map((column, i) => ({ ...column, priority: i + 1 }))];
}

function fitting<Row>(
  columns: readonly Column<Row>[],
  width: number,
  gap: number,
): readonly Column<Row>[] {
  let shown = columns;
  while (shown.length > 1) {
    const needed = shown.reduce((sum, column) => sum + neededWidth(column, width) + gap, -gap);
    if (needed <= width) break;
    const victim = leastImportant(shown);
    if (victim === undefined) break;
    shown = shown.filter((column) => column !== victim);
  }
  return shown;
}

/** The column to give up next: highest priority number, the rightmost among equals. */
function leastImportant<Row>(columns: readonly Column<Row>[]): Column<Row> | undefined {
  let found: Column<Row> | undefined;
  for (const column of columns) {
    const priority = column.priority ?? 0;
    if (priority > 0 && priority >= (found?.priority ?? 0)) found = column;
  }
  return found;
}

/** Columns that reach their greatest width are fixed at it, and the rest is shared again. */
function limitedWidths<Row>(columns: readonly Column<Row>[], room: number): number[] {
  const sizes: Size[] = columns.map((column) => column.width);
  for (;;) {
    const widths = divide(room, sizes);
    const over = columns.findIndex(({ width }, i) => {
      if (typeof width === "number" || typeof sizes[i] === "number") return false;
      return (widths[i] ?? 0) > (width.max ?? Infinity);
    });
    const width = columns[over]?.width;
    if (width === undefined || typeof width === "number") return widths;
    sizes[over] = width.max ?? width.min;
  }
}
