import type { Binding } from "../term/keymap.js";

/** What the bindings of a table act on. */
export interface TableMoves {
  moveBy(rows: number): void;
  movePages(pages: number): void;
  moveTo(index: number): void;
  open(): void;
  toggleMark(): void;
  clearMarks(): void;
  cycleColumns(): void;
  cycleSort(): void;
  reverseSort(): void;
}

const group = "LIST";

/** Keys of a table, the same in every list of the dashboard. */
export function tableBindings(
  table: TableMoves,
  can: {
    readonly markable: boolean;
    readonly sortable: boolean;
    readonly opens: boolean;
    readonly hides: boolean;
  },
): Binding[] {
  return [
    ...moves(table),
    ...(can.opens ? opening(table) : []),
    ...(can.hides ? columns(table) : []),
    ...(can.sortable ? sorting(table) : []),
    ...(can.markable ? marking(table) : []),
  ];
}

function moves(table: TableMoves): Binding[] {
  const rows = [
    ["table.down", ["j", "down"], "next row", () => table.moveBy(1)],
    ["table.up", ["k", "up"], "previous row", () => table.moveBy(-1)],
    ["table.page-down", ["ctrl-f", "pagedown"], "next page", () => table.movePages(1)],
    ["table.page-up", ["ctrl-b", "pageup"], "previous page", () => table.movePages(-1)],
    ["table.first", ["g", "home"], "first row", () => table.moveTo(0)],
    ["table.last", ["G", "end"], "last row", () => table.moveTo(Infinity)],
  ] as const;
  return rows.map(([action, keys, description, run]) => ({
    action,
    keys,
    description,
    group,
    run,
  }));
}

function sorting(table: TableMoves): Binding[] {
  return [
    {
      action: "table.sort",
      keys: ["s"],
      description: "sort by the next column",
      group,
      hint: "sort",
      run: () => table.cycleSort(),
    },
    {
      action: "table.sort-reverse",
      keys: ["S"],
      description: "reverse the order",
      group,
      run: () => table.reverseSort(),
    },
  ];
}

function marking(table: TableMoves): Binding[] {
  return [
    {
      action: "table.mark",
      keys: ["m"],
      description: "mark or unmark the row",
      group,
      hint: "mark",
      run: () => table.toggleMark(),
    },
    {
      action: "table.marks-clear",
      keys: ["M"],
      description: "clear all marks",
      group,
      run: () => table.clearMarks(),
    },
  ];
}

function opening(table: TableMoves): Binding[] {
  return [
    {
      action: "table.open",
      keys: ["enter"],
      description: "show the selected row",
      group,
      hint: "detail",
      run: () => table.open(),
    },
  ];
}

function columns(table: TableMoves): Binding[] {
  return [
    {
      action: "table.columns",
      keys: ["z"],
      description: "show the other columns",
      group,
      run: () => table.cycleColumns(),
    },
  ];
}
