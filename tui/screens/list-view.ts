import { Listing, type ListingPage, type ListingQuery } from "../state/listing.js";
import type { InputEvent } from "../term/input.js";
import { Keymap, type Binding } from "../term/keymap.js";
import type { Painter } from "../term/painter.js";
import { splitColumns, splitRows, type Rect } from "../term/rect.js";
import type { StyleRef } from "../term/theme.js";
import type { Column } from "../widgets/table-columns.js";
import type { Sort } from "../widgets/table-sort.js";
import { paintPane } from "../widgets/pane.js";
import { VirtualTable } from "../widgets/table.js";
import { copyText } from "./actions.js";
import { paintDetails, type Detail } from "./details.js";
import { FullDetail } from "./full-detail.js";
import type { View, ViewContext } from "./view.js";

const DETAIL_COLUMNS_MIN = 100;
const DETAIL_ROWS_MIN = 24;
/** Part of the height that a long list gets when the pane of the selected row is below it. */
const LIST_SHARE_MAX = 0.6;
const LIST_ROWS_MIN = 10;
const DETAIL_WIDTH_SHARE = { list: 3, detail: 2 } as const;
const REFRESH_MS = 5000;

export interface ListViewOptions<Row> {
  readonly id: string;
  readonly title: string;
  readonly short: string;
  readonly context: ViewContext;
  readonly fetch: (query: ListingQuery, signal: AbortSignal) => Promise<ListingPage<Row>>;
  readonly columns: readonly Column<Row>[];
  readonly idOf: (row: Row) => string;
  readonly nameOf: (row: Row) => string;
  readonly rowStyle?: (row: Row) => StyleRef | undefined;
  /** Shown without rows; names the key that helps. */
  readonly emptyText: string;
  /** The order that the server uses when none is asked for, by its field; shown where that is a column. */
  readonly naturalSort: Sort;
  /** Fields of the server's filter, for the prompt. */
  readonly filterHelp: string;
  /** Everything about a row. */
  readonly detail: (row: Row) => readonly Detail[];
  /** Beside the table instead of below it, for details of many short lines. */
  readonly detailBeside?: boolean;
  /** What the view's keys do; called once. */
  readonly bindings: (list: ListView<Row>) => readonly Binding[];
  /** The selection moved, or is about to be shown. */
  readonly onSelect?: (row: Row | undefined) => void;
  /** The view is hidden. */
  readonly onClose?: () => void;
  /** Stands in the upper edge at the right, before the sort order. */
  readonly note?: () => string;
}

/** A list of one noun with a pane for the selected row: most screens are one. */
export class ListView<Row> implements View {
  readonly id: string;
  readonly title: string;
  readonly short: string;
  readonly filterHelp: string;
  readonly #options: ListViewOptions<Row>;
  readonly #listing: Listing<Row>;
  readonly #table: VirtualTable<Row>;
  readonly #full = new FullDetail();
  readonly #ownKeys: Keymap;
  readonly #tableKeys: Keymap;

  constructor(options: ListViewOptions<Row>) {
    const { context } = options;
    this.#options = options;
    this.id = options.id;
    this.title = options.title;
    this.short = options.short;
    this.filterHelp = options.filterHelp;
    this.#listing = new Listing({
      fetch: options.fetch,
      onChange: context.requestFrame,
      clock: context.clock,
      naturalOrder: orderOf(options.naturalSort),
      refreshMs: REFRESH_MS,
      paused: () => context.overview.paused,
    });
    this.#table = new VirtualTable<Row>({
      columns: options.columns,
      rowId: options.idOf,
      emptyText: options.emptyText,
      onSort: (sort) => this.#listing.setOrder(orderOf(sort)),
      onOpen: () => this.#full.open(),
      onNearEdge: (place) => this.#listing.want(place),
      ...(options.rowStyle === undefined ? {} : { rowStyle: options.rowStyle }),
      ...(hasColumn(options) ? { sort: options.naturalSort } : {}),
    });
    this.#ownKeys = new Keymap([...options.bindings(this), this.#copyBinding()]);
    this.#tableKeys = new Keymap(this.#table.bindings());
  }

  get keymaps(): readonly Keymap[] {
    return [this.#ownKeys, this.#full.isOpen ? this.#full.keymap : this.#tableKeys];
  }

  /** The row that the keys act on. */
  get selected(): Row | undefined {
    return this.#table.selected;
  }

  get filter(): string {
    return this.#listing.filter;
  }

  setFilter(filter: string): void {
    this.#listing.setFilter(filter);
  }

  open(): void {
    this.#listing.open();
  }

  close(): void {
    this.#full.close();
    this.#listing.close();
    this.#options.onSelect?.(undefined);
    this.#options.onClose?.();
  }

  refresh(): void {
    this.#listing.refresh();
  }

  back(): boolean {
    return this.#full.close();
  }

  handle(event: InputEvent): boolean {
    return !this.#full.isOpen && this.#table.handle(event);
  }

  /** Why a key that acts on a row cannot: there is none. */
  readonly noRow = (): string | undefined =>
    this.selected === undefined ? "no row is selected" : undefined;

  /** Runs something with the selected row, if there is one. */
  withRow(run: (row: Row) => void): void {
    const row = this.selected;
    if (row !== undefined) run(row);
  }

  paint(painter: Painter): void {
    this.#table.update({
      rows: this.#listing.rows,
      state: this.#listing.status,
      focused: true,
      first: this.#listing.first,
      total: this.#listing.total,
      filter: this.#listing.filter,
    });
    this.#options.onSelect?.(this.selected);
    const row = this.selected;
    if (this.#full.isOpen && row !== undefined) {
      this.#full.paint(painter, this.#options.nameOf(row), this.#options.detail(row));
      return;
    }
    const [list, detail] = this.#areas(painter);
    if (list !== undefined) this.#paintTable(painter.within(list));
    if (detail !== undefined) this.#paintDetail(painter.within(detail));
  }

  #areas(painter: Painter): readonly (Rect | undefined)[] {
    const roomy = painter.width >= DETAIL_COLUMNS_MIN && painter.height >= DETAIL_ROWS_MIN;
    if (!roomy) return [painter.area];
    if (this.#options.detailBeside === true) {
      const { list, detail } = DETAIL_WIDTH_SHARE;
      return splitColumns(painter.area, [{ share: list }, { share: detail }]);
    }
    // A short list leaves its rows to the pane below.
    const most = Math.floor(painter.height * LIST_SHARE_MAX);
    const rows = Math.max(LIST_ROWS_MIN, Math.min(this.#listing.rows.length + 3, most));
    return splitRows(painter.area, [rows, { share: 1 }]);
  }

  #paintTable(painter: Painter): void {
    const { title, note } = this.#options;
    const { filter, total } = this.#listing;
    const question = filter === "" ? "" : `(${filter})`;
    const right = [note?.() ?? "", this.#table.sortLabel(painter.glyphs)];
    this.#table.paint(
      paintPane(painter, {
        title: `${title}${question}[${total}]`,
        right: right.filter((text) => text !== "").join("   "),
        bottom: this.#position(),
        focused: true,
        padding: 0,
      }),
    );
  }

  #position(): string {
    const position = this.#table.positionLabel();
    return this.#listing.renews ? position : `${position}, ctrl-r renews`;
  }

  #paintDetail(painter: Painter): void {
    const row = this.selected;
    const title = row === undefined ? "Detail" : this.#options.nameOf(row);
    const inner = paintPane(painter, { title });
    if (row !== undefined) paintDetails(inner, this.#options.detail(row));
  }

  #copyBinding(): Binding {
    const { id, context, idOf } = this.#options;
    return {
      keys: ["y"],
      action: `${id}.copy-id`,
      description: "copy the id of the row",
      group: "LIST",
      hint: "copy id",
      disabledReason: this.noRow,
      run: () => this.withRow((row) => copyText(context, "id", idOf(row))),
    };
  }
}

/** Marks a column as one the server can order by; its id is then the server's field. */
export const byServer = (): null => null;

function hasColumn<Row>({ columns, naturalSort }: ListViewOptions<Row>): boolean {
  return columns.some((column) => column.id === naturalSort.column);
}

function orderOf(sort: Sort): string {
  return sort.descending ? `${sort.column} desc` : sort.column;
}
