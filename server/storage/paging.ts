import type { Page, PageQuery } from "../core/page.js";
import { decodePageToken, encodePageToken, pageSizeOf, type Position } from "./page-token.js";

/** A page that also knows the way back. */
export interface FullPage<T> extends Page<T> {
  /** Token of the page before; empty on the first page. */
  readonly previousPageToken: string;
}

/** What a page asks of the database. */
export interface RowRequest {
  /** Only rows beyond it; undefined from the start. */
  readonly after: Position | undefined;
  /** Against the order of the list: for the page before a position. */
  readonly reversed: boolean;
  /** One more than the page holds, to see whether there is another page. */
  readonly limit: number;
}

/** Rows of a request. */
export interface Fetched<Row> {
  readonly rows: readonly Row[];
  /** Where the search was broken off before the page was full and before all rows were seen. */
  readonly stoppedAt?: Position | undefined;
}

/** How the rows of a list are fetched. */
export interface RowSource<Row> {
  /** Names the list in its tokens. */
  readonly noun: string;
  /** Types of the parts of a position. */
  readonly shape: readonly ("string" | "number")[];
  readonly positionOf: (row: Row) => Position;
  readonly fetch: (request: RowRequest) => Promise<Fetched<Row>>;
}

/**
 * The rows of one page and the tokens of its neighbours. A page is found by the position of a row, not by counting:
 * rows that are added or removed in the meantime make none appear twice or be skipped.
 */
export async function fetchPage<Row>(
  source: RowSource<Row>,
  query: PageQuery,
): Promise<{ rows: readonly Row[]; nextPageToken: string; previousPageToken: string }> {
  const size = pageSizeOf(query);
  const start = decodePageToken(source.noun, query, source.shape);
  const backwards = start?.backwards ?? false;
  const fetched = await source.fetch({
    after: start?.position,
    reversed: backwards,
    limit: size + 1,
  });
  const rows = fetched.rows.slice(0, size);
  if (backwards) rows.reverse();

  const token = (position: Position | undefined, back: boolean): string =>
    position === undefined
      ? ""
      : encodePageToken(source.noun, query, { position, backwards: back });
  const positionAt = (index: number): Position | undefined => {
    const row = rows.at(index);
    return row === undefined ? undefined : source.positionOf(row);
  };
  const more = fetched.rows.length > size;
  const ahead = more ? positionAt(backwards ? 0 : -1) : fetched.stoppedAt;
  return backwards
    ? { rows, nextPageToken: token(positionAt(-1), false), previousPageToken: token(ahead, true) }
    : {
        rows,
        nextPageToken: token(ahead, false),
        previousPageToken: start === undefined ? "" : token(positionAt(0), true),
      };
}
