import type { Listing } from "../state/listing.js";
import type { InputEvent } from "../term/input.js";
import { Keymap, type Binding } from "../term/keymap.js";
import type { Painter } from "../term/painter.js";
import { splitRows } from "../term/rect.js";
import { paintPane } from "../widgets/pane.js";
import type { VirtualTable } from "../widgets/table.js";
import { copyText } from "./actions.js";
import type { View, ViewContext } from "./view.js";

const DETAIL_COLUMNS_MIN = 100;
const DETAIL_ROWS_MIN = 24;
const DETAIL_ROWS = 12;

/** A label with its value, in the pane of a row. */
export type Detail = readonly [label: string, value: string];

export interface ListViewOptions<Row> {
  readonly id: string;
  readonly title: string;
  readonly short: string;
  readonly context: ViewContext;
  readonly listing: Listing<Row>;
  readonly table: VirtualTable<Row>;
  readonly idOf: (row: Row) => string;
  readonly nameOf: (row: Row) => string;
  readonly detail: (row: Row) => readonly Detail[];
  /** What the view's keys do. */
  readonly bindings: readonly Binding[];
}

/** A list of one noun with a pane for the selected row: most screens are one. */
export class ListView<Row> implements View {
  readonly id: string;
  readonly title: string;
  readonly short: string;
  readonly keymaps: readonly Keymap[];
  readonly #options: ListViewOptions<Row>;

  constructor(options: ListViewOptions<Row>) {
    this.#options = options;
    this.id = options.id;
    this.title = options.title;
    this.short = options.short;
    this.keymaps = [
      new Keymap([...options.bindings, copyBinding(options)]),
      new Keymap(options.table.bindings()),
    ];
  }

  get filter(): string {
    return this.#options.listing.filter;
  }

  setFilter(filter: string): void {
    this.#options.listing.setFilter(filter);
  }

  open(): void {
    this.#options.listing.open();
  }

  close(): void {
    this.#options.listing.close();
  }

  refresh(): void {
    this.#options.listing.refresh();
  }

  handle(event: InputEvent): boolean {
    return this.#options.table.handle(event);
  }

  paint(painter: Painter): void {
    const { table, listing } = this.#options;
    table.update({
      rows: listing.rows,
      state: listing.status,
      focused: true,
      total: listing.total,
    });
    const withPane = painter.width >= DETAIL_COLUMNS_MIN && painter.height >= DETAIL_ROWS_MIN;
    const areas = splitRows(painter.area, [{ share: 1 }, withPane ? DETAIL_ROWS : 0]);
    const [above, below] = areas;
    if (above !== undefined) this.#paintTable(painter.within(above));
    if (withPane && below !== undefined) this.#paintDetail(painter.within(below));
  }

  #paintTable(painter: Painter): void {
    const { table, listing, title } = this.#options;
    const filter = listing.filter === "" ? "" : `(${listing.filter})`;
    const shown =
      listing.rows.length < listing.total
        ? `${listing.rows.length} of ${listing.total}`
        : String(listing.total);
    table.paint(
      paintPane(painter, {
        title: `${title}${filter}[${shown}]`,
        right: table.sortLabel(painter.glyphs),
        focused: true,
        padding: 0,
      }),
    );
  }

  #paintDetail(painter: Painter): void {
    const { table, nameOf } = this.#options;
    const row = table.selected;
    const inner = paintPane(painter, { title: row === undefined ? "Detail" : nameOf(row) });
    if (row !== undefined) paintDetails(inner, this.#options.detail(row));
  }
}

/** Labels in one column, values beside them; two such columns where there is room. */
export function paintDetails(painter: Painter, details: readonly Detail[]): void {
  const columns = painter.width >= 90 ? 2 : 1;
  const perColumn = Math.ceil(details.length / columns);
  const width = Math.floor(painter.width / columns);
  const labelWidth = Math.max(0, ...details.map(([label]) => label.length)) + 1;
  details.forEach(([label, value], i) => {
    const x = Math.floor(i / perColumn) * width;
    const y = i % perColumn;
    painter.field({ x, y, width: labelWidth }, label, "muted");
    painter.field({ x: x + labelWidth, y, width: width - labelWidth - 1 }, value);
  });
}

function copyBinding<Row>(options: ListViewOptions<Row>): Binding {
  return {
    keys: ["y"],
    action: `${options.id}.copy-id`,
    description: "copy the id of the row",
    group: "LIST",
    hint: "copy id",
    disabledReason: () => (options.table.selected === undefined ? "no row is selected" : undefined),
    run: () => {
      const row = options.table.selected;
      if (row !== undefined) copyText(options.context, "id", options.idOf(row));
    },
  };
}
