import type { Column } from "./table-columns.js";

/** Which column a table is sorted by. */
export interface Sort {
  readonly column: string;
  readonly descending: boolean;
}

/** Sorts a copy by one column; equal rows keep their order, rows without a value come last. */
export function sortRows<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  sort: Sort | undefined,
): readonly Row[] {
  const key = columns.find((column) => column.id === sort?.column)?.sortKey;
  if (sort === undefined || key === undefined) return rows;
  const keyed = rows.map((row) => ({ row, value: key(row) }));
  const sign = sort.descending ? -1 : 1;
  keyed.sort((a, b) => compare(a.value, b.value, sign));
  return keyed.map((entry) => entry.row);
}

function compare(a: string | number | null, b: string | number | null, sign: number): number {
  if (a === null || b === null) return Number(a === null) - Number(b === null);
  if (typeof a === "number" && typeof b === "number") return sign * (a - b);
  const left = String(a);
  const right = String(b);
  if (left === right) return 0;
  return left < right ? -sign : sign;
}

/** The next sortable column after the current one, going round. */
export function nextSort<Row>(
  columns: readonly Column<Row>[],
  sort: Sort | undefined,
): Sort | undefined {
  const sortable = columns.filter((column) => column.sortKey !== undefined);
  const at = sortable.findIndex((column) => column.id === sort?.column);
  const next = sortable[(at + 1) % Math.max(1, sortable.length)];
  return next === undefined ? undefined : { column: next.id, descending: false };
}
