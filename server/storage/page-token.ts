import { createHash } from "node:crypto";
import { invalidField } from "../core/fault.js";
import { PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX, type PageQuery } from "../core/page.js";

/** Where a page ended: the sort value and the tie-breaker of its last row, and what else the noun needs. */
export type Position = readonly (string | number)[];

const HASH_CHARS = 16;
const TOKEN_CHARS_MAX = 2_000;

/** Where a page starts, seen from its token: after a position, or before it. */
export interface PageStart {
  readonly position: Position;
  /** The page ends right before the position instead of starting right after it. */
  readonly backwards: boolean;
}

/** A token for the page on that side of `position`, valid for this query only. */
export function encodePageToken(noun: string, query: PageQuery, start: PageStart): string {
  const parts = [queryHash(noun, query), start.backwards ? "b" : "f", ...start.position];
  return Buffer.from(JSON.stringify(parts)).toString("base64url");
}

/**
 * The position in a token; undefined at the start. Throws Fault `invalid_argument` when the token is not
 * one of ours, or when the query's arguments have changed since it was given out (the page size may).
 */
export function decodePageToken(
  noun: string,
  query: PageQuery,
  shape: readonly ("string" | "number")[],
): PageStart | undefined {
  if (query.pageToken === "") return undefined;
  const parts = parse(query.pageToken);
  if (parts === undefined) throw invalidField("page_token", "is not a page token of this server");
  const [hash, direction, ...position] = parts;
  if (hash !== queryHash(noun, query)) {
    throw invalidField(
      "page_token",
      "belongs to a list with other arguments; start again without a page token",
    );
  }
  const fits =
    position.length === shape.length &&
    position.every((value, index) => typeof value === shape[index]);
  if (!fits) throw invalidField("page_token", "is not a page token of this server");
  return {
    position: position.filter((value) => typeof value === "string" || typeof value === "number"),
    backwards: direction === "b",
  };
}

/** The page size to use: the default for 0, at most the maximum. Throws Fault `invalid_argument` for a negative one. */
export function pageSizeOf(query: PageQuery): number {
  if (!Number.isInteger(query.pageSize) || query.pageSize < 0) {
    throw invalidField("page_size", "must be 0 or a positive whole number");
  }
  return query.pageSize === 0 ? PAGE_SIZE_DEFAULT : Math.min(query.pageSize, PAGE_SIZE_MAX);
}

function queryHash(noun: string, query: PageQuery): string {
  const conditions = query.conditions.map(({ field, op, value }) => [field, op, value]);
  const text = JSON.stringify([noun, conditions, query.text, query.orderBy, query.descending]);
  return createHash("sha256").update(text).digest("base64url").slice(0, HASH_CHARS);
}

function parse(token: string): unknown[] | undefined {
  if (token.length > TOKEN_CHARS_MAX) return undefined;
  try {
    const parts: unknown = JSON.parse(Buffer.from(token, "base64url").toString("utf8"));
    return Array.isArray(parts) ? parts : undefined;
  } catch {
    // Not JSON: the caller made it up.
    return undefined;
  }
}
