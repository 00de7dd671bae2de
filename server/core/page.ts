/** A condition of a list's filter, e.g. `status>=400`. */
export interface Condition {
  readonly field: string;
  readonly op: "=" | "!=" | ">" | ">=" | "<" | "<=" | "~";
  readonly value: string;
}

/** What a listing asks for. Storage maps fields to columns by an allow-list of its own. */
export interface PageQuery {
  readonly conditions: readonly Condition[];
  /** Free text that some visible column must contain. */
  readonly text: string;
  /** Field to sort by, or empty for the noun's natural order. */
  readonly orderBy: string;
  readonly descending: boolean;
  readonly pageSize: number;
  /** Opaque position after which to go on; empty for the start. */
  readonly pageToken: string;
}

export interface Page<T> {
  readonly items: readonly T[];
  /** Empty on the last page. */
  readonly nextPageToken: string;
  /** Empty or undefined on the first page. */
  readonly previousPageToken?: string | undefined;
  /** How many match in all. */
  readonly total: number;
  /** False when `total` is only as far as was counted. Default true. */
  readonly totalIsExact?: boolean;
}

export const PAGE_SIZE_DEFAULT = 50;
export const PAGE_SIZE_MAX = 1000;
