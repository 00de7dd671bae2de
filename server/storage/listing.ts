import { invalidField } from "../core/fault.js";
import type { PageQuery } from "../core/page.js";
import type { Db } from "./db.js";
import {
  type Clause,
  conditionClause,
  CONDITIONS_MAX,
  type Field,
  fieldNamed,
  type Fields,
  searchClause,
} from "./filter.js";
import type { Position } from "./page-token.js";
import { fetchPage, type FullPage } from "./paging.js";

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

/** One page of a noun. The total is exact. Throws Fault `invalid_argument`. */
export async function listPage<Row, T>(
  db: Db,
  listing: Listing<Row, T>,
  query: PageQuery,
): Promise<FullPage<T>> {
  const { table, tieBreaker, natural } = listing;
  const sort = sortOf(listing.fields, query, natural);
  const filter = filterClauses(listing.fields, query);
  const tie = tieBreaker.column;

  const page = await fetchPage<Sorted<Row>>(
    {
      noun: table,
      shape: [sort.type, tieBreaker.kind],
      positionOf: (row) => [row.page_sort, row.page_tie],
      async fetch({ after, reversed, limit }) {
        const order = { ...sort, descending: sort.descending !== reversed };
        const clauses = after === undefined ? filter : [...filter, keysetClause(order, tie, after)];
        const rows = await db.rows<Sorted<Row>>(
          `SELECT *, ${sort.sql} AS page_sort, ${tie} AS page_tie FROM ${table} ${whereOf(clauses)}
           ORDER BY ${orderOf(order, tie)} LIMIT ${limit}`,
          valuesOf(clauses),
        );
        return { rows };
      },
    },
    query,
  );
  const [counted] = await db.rows<{ total: number }>(
    `SELECT count(*) AS total FROM ${table} ${whereOf(filter)}`,
    valuesOf(filter),
  );
  const { rows, ...tokens } = page;
  return { items: rows.map((row) => listing.toItem(row)), ...tokens, total: counted?.total ?? 0 };
}

/** How rows are ordered. */
export interface Sort {
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
  return { ...sortExpression(field), descending };
}

/** Rows without a value sort before all others, on every database. */
function sortExpression(field: Field): { sql: string; type: "string" | "number" } {
  const sql = field.sortSql ?? field.sql;
  if (field.kind === "text" || field.kind === "list" || field.kind === "reference") {
    const present = field.nullable === true ? `COALESCE(${sql}, '')` : sql;
    return { sql: field.values === undefined ? `lower(${present})` : present, type: "string" };
  }
  return { sql: field.nullable === true ? `COALESCE(${sql}, -1)` : sql, type: "number" };
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
export function keysetClause(sort: Sort, tie: string, [value, id]: Position): Clause {
  if (value === undefined || id === undefined) throw new Error("a position has two parts");
  const beyond = sort.descending ? "<" : ">";
  // The first half alone lets the database start in its index instead of at the beginning.
  return {
    sql: `(${sort.sql} ${beyond}= ? AND (${sort.sql} ${beyond} ? OR ${tie} ${beyond} ?))`,
    values: [value, value, id],
  };
}

export function orderOf(sort: Sort, tie: string): string {
  const direction = sort.descending ? "DESC" : "ASC";
  return `${sort.sql} ${direction}, ${tie} ${direction}`;
}

export function whereOf(clauses: readonly Clause[]): string {
  return clauses.length === 0 ? "" : `WHERE ${clauses.map((clause) => clause.sql).join(" AND ")}`;
}

export function valuesOf(clauses: readonly Clause[]): (string | number)[] {
  return clauses.flatMap((clause) => clause.values);
}
