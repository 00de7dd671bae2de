import type { Db } from "./db.js";
import { SQLITE } from "./sql-dialect.js";

/** Inserts rows that all have the same columns in one statement, the cheapest way for many. */
export async function insertRows<Row extends object>(
  db: Db,
  table: string,
  rows: readonly Row[],
): Promise<void> {
  const [first] = rows;
  if (first === undefined) return;
  const columns = Object.keys(first) as (keyof Row & string)[];
  const isBytes = (column: keyof Row): boolean =>
    rows.some((row) => row[column] instanceof Uint8Array);
  const bytes = new Set(columns.filter(isBytes));
  const values = rows.map((row) => columns.map((column) => valueOf(row[column])));
  await db.rows(`INSERT INTO ${table} (${columns.join(", ")}) ${SQLITE.eachRow(columns, bytes)}`, [
    JSON.stringify(values),
  ]);
}

function valueOf(value: unknown): unknown {
  return value instanceof Uint8Array ? Buffer.from(value).toString("hex") : value;
}
