import { invalidField } from "../core/fault.js";
import type { Page, PageQuery } from "../core/page.js";
import type { Db } from "./db.js";
import { CONDITIONS_MAX, conditionClause, fieldNamed, searchClause } from "./filter.js";
import type { Clause, Field, Fields } from "./filter.js";
import { decodePageToken, encodePageToken, pageSizeOf } from "./page-token.js";

/** How a noun is listed. */
export interface Listing<Row, T> {
  readonly table: string;
  readonly fields: Fields;
  /** Sort field of a query that names none, and its direction. */
  readonly natural: { readonly field: string; readonly descending: boolean };
  /** Unique column that orders rows with equal sort values. */
  readonly tieBreaker: { readonly column: string; readonly kind: "string" | "number" };
  readonly toItem: (row: Row) => T;
}

/** A row with the value that it was sorted by. */
type Sorted<Row> = Row & { page_sort: string | number; page_tie: string | number };

/**
 * One page, found by the position of the last row of the page before: rows that arrive or go in the
 * meantime neither repeat nor hide others. The total is exact. Throws Fault `invalid_argument`.
 */
export async function listPage<Row, T>(
  db: Db,
  listing: Listing<Row, T>,
  query: PageQuery,
): Promise<Page<T>> {
  const { table, tieBreaker, natural } = listing;
  const size = pageSizeOf(query);
  const sort = sortOf(listing.fields, query, natural);
  const filter = filterClauses(listing.fields, query);
  const after = decodePageToken(table, query, [sort.type, tieBreaker.kind]);
  const tie = tieBreaker.column;
  const clauses = after === undefined ? filter : [...filter, keysetClause(sort, tie, after)];

  const direction = sort.descending ? "DESC" : "ASC";
  const rows = await db.rows<Sorted<Row>>(
    `SELECT *, ${sort.sql} AS page_sort, ${tie} AS page_tie FROM ${table} ${whereOf(clauses)}
     ORDER BY ${sort.sql} ${direction}, ${tie} ${direction} LIMIT ${size + 1}`,
    clauses.flatMap((clause) => clause.values),
  );
  const [counted] = await db.rows<{ total: number }>(
    `SELECT count(*) AS total FROM ${table} ${whereOf(filter)}`,
    filter.flatMap((clause) => clause.values),
  );
  const last = rows.length > size ? rows[size - 1] : undefined;
  return {
    items: rows.slice(0, size).map((row) => listing.toItem(row)),
    nextPageToken:
      last === undefined ? "" : encodePageToken(table, query, [last.page_sort, last.page_tie]),
    total: counted?.total ?? 0,
  };
}

/** How rows are ordered. */
export interface Sort {
  readonly name: string;
  readonly sql: string;
  readonly type: "string" | "number";
  readonly descending: boolean;
}

/** The order that a query asks for; without one the noun's natural order, whatever `descending` says. */
export function sortOf(
  fields: Fields,
  query: PageQuery,
  natural: { readonly field: string; readonly descending: boolean },
): Sort {
  const asked = query.orderBy !== "";
  const [name, field] = fieldNamed(fields, asked ? query.orderBy : natural.field, "order_by");
  if (field.kind === "test") throw invalidField("order_by", `${name} cannot be sorted by`);
  const descending = asked ? query.descending : natural.descending;
  return { name, ...sortExpression(field), descending };
}

/** Rows without a value sort before all others, on every database. */
function sortExpression(field: Field): { sql: string; type: "string" | "number" } {
  if (field.kind === "text" || field.kind === "list") {
    const present = field.nullable === true ? `COALESCE(${field.sql}, '')` : field.sql;
    return { sql: field.values === undefined ? `lower(${present})` : present, type: "string" };
  }
  return {
    sql: field.nullable === true ? `COALESCE(${field.sql}, -1)` : field.sql,
    type: "number",
  };
}

/** The conditions and the free text of a query. */
export function filterClauses(fields: Fields, query: PageQuery): readonly Clause[] {
  if (query.conditions.length > CONDITIONS_MAX) {
    throw invalidField("filter", `has more than ${CONDITIONS_MAX} conditions`);
  }
  const clauses = query.conditions.map((condition) => conditionClause(fields, condition));
  const search = searchClause(fields, query.text);
  return search === undefined ? clauses : [...clauses, search];
}

/** Rows that come after a position. */
export function keysetClause(
  sort: Sort,
  tie: string,
  [value, id]: readonly (string | number)[],
): Clause {
  if (value === undefined || id === undefined) throw new Error("a position has two parts");
  const beyond = sort.descending ? "<" : ">";
  // The first half alone lets the database start in its index instead of at the beginning.
  return {
    sql: `(${sort.sql} ${beyond}= ? AND (${sort.sql} ${beyond} ? OR ${tie} ${beyond} ?))`,
    values: [value, value, id],
  };
}

export function whereOf(clauses: readonly Clause[]): string {
  return clauses.length === 0 ? "" : `WHERE ${clauses.map((clause) => clause.sql).join(" AND ")}`;
}
