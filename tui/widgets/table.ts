import type { InputEvent } from "../term/input.js";
import type { Binding } from "../term/keymap.js";
import type { Painter, Span } from "../term/painter.js";
import type { StyleRef } from "../term/theme.js";
import {
  placeColumns,
  preferColumns,
  type CellContent,
  type Column,
  type PlacedColumn,
} from "./table-columns.js";
import { nextSort, sortRows, type Sort } from "./table-sort.js";
import { paintTableState, type TableState } from "./table-state.js";
import { tableBindings } from "./table-bindings.js";
import type { Widget } from "./widget.js";

/** What a table is made of; everything else comes by `update`. */
export interface TableOptions<Row> {
  readonly columns: readonly Column<Row>[];
  /** Stable identity: selection and marks follow it when rows move. */
  readonly rowId: (row: Row) => string;
  /** Look of a whole row, e.g. muted for a disabled key. */
  readonly rowStyle?: (row: Row) => StyleRef | undefined;
  /** Shown when there are no rows; name the key that helps. */
  readonly emptyText: string;
  /** Rows can be marked with `m` for actions on several. */
  readonly markable?: boolean;
  readonly sort?: Sort;
  /** Rows arrive sorted by the server: called instead of sorting here. */
  readonly onSort?: (sort: Sort) => void;
  /** Enter on a row. */
  readonly onOpen?: (row: Row) => void;
  /**
   * The selection came within a page of where the rows here end and the list goes on, or is to go beyond that, to
   * `place`: more may be fetched. False when that row will not come.
   */
  readonly onNearEdge?: (place: number) => boolean;
  /** While the first row is selected, stay on the first row as newer ones arrive above. */
  readonly followTop?: boolean;
}

/** New data for a table. What is absent stays as it was. */
export interface TableUpdate<Row> {
  readonly rows?: readonly Row[];
  readonly state?: TableState;
  readonly focused?: boolean;
  /** Place of the first row here in the whole list, when that begins before it. Default 0. */
  readonly first?: number;
  /** Rows of the whole list, when only a part of them is here; the selection may aim at one that is still to come. */
  readonly total?: number;
  /** What the rows were chosen by; without any, it is to blame and not a lack of things. */
  readonly filter?: string;
}

const NO_MATCH = "nothing matches the filter: esc clears it";

/**
 * A table of any number of rows that touches only the visible ones.
 * ```ts
 * const table = new VirtualTable<Key>({
 *   columns: [{ id: 'name', title: 'NAME', width: { min: 12, share: 1 }, cell: (k) => k.name }],
 *   rowId: (k) => k.id,
 *   emptyText: 'no client keys, press n',
 * });
 * table.update({ rows, state: { kind: 'ready' } });
 * table.paint(paintPane(painter, { title: 'Client keys', right: table.sortLabel(glyphs) }));
 * ```
 */
export class VirtualTable<Row> implements Widget {
  readonly #options: TableOptions<Row>;
  #rows: readonly Row[] = [];
  #given: readonly Row[] = [];
  #state: TableState = { kind: "loading" };
  #focused = true;
  /** Place of the first row in the whole list. */
  #first = 0;
  #total = 0;
  #filter = "";
  #sort: Sort | undefined;
  #index = 0;
  /** Where the selection goes as soon as that row is here. */
  #goal: number | undefined;
  #top = 0;
  #page = 1;
  #shown: readonly string[] = [];
  #preferred: readonly string[] = [];
  readonly #seen = new Set<string>();
  #marks = new Set<string>();
  #body = { x: 0, y: 0, width: 0, height: 0 };

  constructor(options: TableOptions<Row>) {
    this.#options = options;
    this.#sort = options.sort;
  }

  /** The rows in the order shown. */
  get rows(): readonly Row[] {
    return this.#rows;
  }

  /** The row under the selection; undefined while there is none. */
  get selected(): Row | undefined {
    return this.#rows[this.#index];
  }

  /** Its place in the whole list. */
  get selectedPlace(): number {
    return this.#first + this.#index;
  }

  /** Where the list ends, as far as is known. */
  get #end(): number {
    return Math.max(this.#total, this.#first + this.#rows.length);
  }

  get sort(): Sort | undefined {
    return this.#sort;
  }

  /** Marked rows that still exist, in the order shown. */
  get marked(): readonly Row[] {
    return this.#rows.filter((row) => this.#marks.has(this.#options.rowId(row)));
  }

  /** Takes new rows or a new state; the selection stays on the same row if it still exists. */
  update(update: TableUpdate<Row>): void {
    if (update.state !== undefined) this.#state = update.state;
    if (update.focused !== undefined) this.#focused = update.focused;
    if (update.first !== undefined) this.#first = update.first;
    if (update.total !== undefined) this.#total = update.total;
    if (update.filter !== undefined) this.#filter = update.filter;
    if (update.rows !== undefined) {
      const isNew = update.rows !== this.#given;
      this.#given = update.rows;
      this.#arrange();
      if (isNew && this.#goal !== undefined) this.moveTo(this.#goal);
    }
  }

  /** What a table can do with keys, to be put into the keymap of the view. */
  bindings(): Binding[] {
    return tableBindings(this, {
      markable: this.#options.markable ?? false,
      sortable: this.#options.columns.some((column) => column.sortKey !== undefined),
      opens: this.#options.onOpen !== undefined,
      hides: this.#options.columns.some((column) => (column.priority ?? 0) > 0),
    });
  }

  /** Wheel and clicks; keys come through the bindings. */
  handle(event: InputEvent): boolean {
    if (event.type !== "mouse") return false;
    const { x, y, width, height } = this.#body;
    if (event.x < x || event.y < y || event.x >= x + width || event.y >= y + height) return false;
    if (event.action === "wheel-up") this.moveBy(-3);
    else if (event.action === "wheel-down") this.moveBy(3);
    else if (event.action === "press") this.moveTo(this.#first + this.#top + event.y - y);
    return true;
  }

  /** Moves the selection by a number of rows: on from where it is about to go, back from where it is. */
  moveBy(rows: number): void {
    const { selectedPlace: place } = this;
    const goal = this.#goal ?? place;
    this.moveTo((goal > place === rows > 0 ? goal : place) + rows);
  }

  /** Moves the selection by whole pages. */
  movePages(pages: number): void {
    this.moveBy(pages * Math.max(1, this.#page - 1));
  }

  /**
   * Selects a row by its place in the list; values outside are brought inside. A row that is not here yet is
   * selected once it was fetched.
   */
  moveTo(place: number): void {
    const here = this.#rows.length;
    const aim = Math.max(0, Math.min(place, this.#end - 1));
    this.#index = Math.max(0, Math.min(aim - this.#first, here - 1));
    this.#goal = aim === this.selectedPlace ? undefined : aim;
    const goesOn =
      (this.#first > 0 && this.#index < this.#page) ||
      (this.#first + here < this.#end && this.#index + this.#page >= here);
    if (goesOn && this.#options.onNearEdge?.(aim) === false) this.#goal = undefined;
  }

  /** Selects a row by its identity; false when it is not there. */
  select(id: string): boolean {
    const index = this.#rows.findIndex((row) => this.#options.rowId(row) === id);
    if (index < 0) return false;
    this.moveTo(this.#first + index);
    return true;
  }

  /** Runs what Enter does on the selected row. */
  open(): void {
    const row = this.selected;
    if (row !== undefined) this.#options.onOpen?.(row);
  }

  /** Marks the selected row or takes its mark away, and goes on to the next. */
  toggleMark(): void {
    const row = this.selected;
    if (row === undefined) return;
    const id = this.#options.rowId(row);
    if (!this.#marks.delete(id)) this.#marks.add(id);
    this.moveBy(1);
  }

  clearMarks(): void {
    this.#marks.clear();
  }

  /** Shows the columns that did not fit, beside the first one; once all were seen, starts over. */
  cycleColumns(): void {
    for (const id of this.#shown) this.#seen.add(id);
    const unseen = this.#options.columns.filter((column) => !this.#seen.has(column.id));
    this.#preferred = unseen.map((column) => column.id);
    if (unseen.length === 0) this.#seen.clear();
  }

  /** Sorts by the next column. */
  cycleSort(): void {
    this.#resort(nextSort(this.#options.columns, this.#sort));
  }

  /** Turns the order round. */
  reverseSort(): void {
    if (this.#sort !== undefined) {
      this.#resort({ column: this.#sort.column, descending: !this.#sort.descending });
    }
  }

  /** `sort:name ▲` for the frame around the table; empty when unsorted. */
  sortLabel(glyphs: { readonly sortUp: string; readonly sortDown: string }): string {
    const column = this.#options.columns.find((one) => one.id === this.#sort?.column);
    if (column === undefined) return "";
    const arrow = this.#sort?.descending === true ? glyphs.sortDown : glyphs.sortUp;
    return `sort:${column.title.toLowerCase()} ${arrow}`;
  }

  /** `1-20 of 212` for the frame around the table, and where the selection is on its way to; empty when all rows are visible. */
  positionLabel(totalWords?: string): string {
    const total = this.#end;
    if (total <= this.#page || this.#rows.length === 0) return "";
    // It is painted before the rows are.
    this.#scroll();
    const before = this.#first + this.#top;
    const last = this.#first + Math.min(this.#top + this.#page, this.#rows.length);
    const way = this.#goal === undefined ? "" : `, going to ${this.#goal + 1}`;
    return `${before + 1}-${last} of ${totalWords ?? total}${way}`;
  }

  paint(painter: Painter): void {
    const gutter = this.#options.markable === true ? 3 : 2;
    const header = painter.within({ ...painter.area, x: gutter, height: 1 });
    const columns = preferColumns(this.#options.columns, this.#preferred);
    const placed = placeColumns(columns, painter.width - gutter);
    this.#shown = placed.map(({ column }) => column.id);
    this.#paintHeader(header, placed);
    const body = painter.within({ ...painter.area, y: 1, height: painter.height - 1 });
    this.#body = body.absolute;
    this.#page = Math.max(1, body.height);
    const emptyText = this.#filter === "" ? this.#options.emptyText : NO_MATCH;
    if (paintTableState(body, this.#state, this.#rows.length, emptyText)) return;
    this.#scroll();
    for (let y = 0; y < body.height; y += 1) {
      const row = this.#rows[this.#top + y];
      if (row === undefined) break;
      const line = body.within({ x: 0, y, width: body.width, height: 1 });
      this.#paintRow(line, row, placed);
      if (this.#top + y === this.#index) this.#paintSelection(line);
    }
  }

  #paintHeader(painter: Painter, placed: readonly PlacedColumn<Row>[]): void {
    for (const { column, x, width } of placed) {
      const sorted = column.id === this.#sort?.column;
      const arrow =
        this.#sort?.descending === true ? painter.glyphs.sortDown : painter.glyphs.sortUp;
      const title = sorted ? `${column.title} ${arrow}` : column.title;
      const at = { x, y: 0, width, align: column.align ?? "left" };
      painter.field(at, title, sorted ? "headerSorted" : "header");
    }
  }

  #paintRow(line: Painter, row: Row, placed: readonly PlacedColumn<Row>[]): void {
    const marked = this.#marks.has(this.#options.rowId(row));
    const stale = this.#state.kind === "stale";
    const rowStyle = stale ? "stale" : this.#options.rowStyle?.(row);
    if (marked) line.text(1, 0, line.glyphs.mark, "marked");
    const gutter = this.#options.markable === true ? 3 : 2;
    const cells = line.within({ ...line.area, x: gutter, width: line.width - gutter });
    for (const { column, x, width } of placed) {
      const spans = toSpans(column.cell(row), rowStyle, stale);
      paintCell(cells.within({ x, y: 0, width, height: 1 }), spans, column.align ?? "left");
    }
  }

  #paintSelection(line: Painter): void {
    line.text(0, 0, line.glyphs.pointer, "accent");
    line.tint(line.area, this.#focused ? "selected" : "selectedBlurred");
  }

  /** Keeps the selection visible with as little movement as possible. */
  #scroll(): void {
    if (this.#index < this.#top) this.#top = this.#index;
    if (this.#index >= this.#top + this.#page) this.#top = this.#index - this.#page + 1;
    this.#top = Math.max(0, Math.min(this.#top, this.#rows.length - this.#page));
  }

  #resort(sort: Sort | undefined): void {
    if (sort === undefined) return;
    this.#sort = sort;
    if (this.#options.onSort === undefined) this.#arrange();
    else this.#options.onSort(sort);
  }

  #arrange(): void {
    const { rowId, columns, onSort, followTop } = this.#options;
    const before = this.selected;
    const id = before === undefined ? undefined : rowId(before);
    const place = this.#index - this.#top;
    this.#rows = onSort === undefined ? sortRows(this.#given, columns, this.#sort) : this.#given;
    if (id === undefined || (followTop === true && this.#index === 0)) return this.#clampIndex();
    const index = this.#rows.findIndex((row) => rowId(row) === id);
    if (index < 0) return this.#clampIndex();
    this.#index = index;
    // The selected row keeps its place on the glass while others come and go around it.
    this.#top = Math.max(0, index - place);
  }

  #clampIndex(): void {
    this.#index = Math.max(0, Math.min(this.#index, this.#rows.length - 1));
  }
}

function toSpans(
  content: CellContent,
  rowStyle: StyleRef | undefined,
  stale: boolean,
): readonly Span[] {
  const spans =
    typeof content === "string" ? [{ text: content }] : isSpan(content) ? [content] : content;
  if (rowStyle === undefined) return spans;
  return spans.map((span) =>
    stale || span.style === undefined ? { ...span, style: rowStyle } : span,
  );
}

function isSpan(content: Span | readonly Span[]): content is Span {
  return "text" in content;
}

function paintCell(
  painter: Painter,
  spans: readonly Span[],
  align: "left" | "right" | "center",
): void {
  const only = spans[0];
  if (spans.length === 1 && only !== undefined) {
    painter.field({ x: 0, y: 0, width: painter.width, align }, only.text, only.style ?? "text");
    return;
  }
  painter.spans(0, 0, spans);
}
