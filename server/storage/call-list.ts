import type { CallRecord } from "../core/call.js";
import type { Clock } from "../core/clock.js";
import { MINUTE_MS } from "../core/durations.js";
import { invalidField } from "../core/fault.js";
import type { Condition, PageQuery } from "../core/page.js";
import { CALL_FIELDS, INDEXED } from "./call-fields.js";
import { type CallRow, toCallRecord } from "./call-rows.js";
import type { Db } from "./db.js";
import { type Clause, conditionClause, fieldNamed } from "./filter.js";
import {
  filterClauses,
  keysetClause,
  orderOf,
  type Sort,
  sortOf,
  valuesOf,
  whereOf,
} from "./listing.js";
import type { Position } from "./page-token.js";
import { type Fetched, fetchPage, type FullPage, type RowRequest } from "./paging.js";
import { SQLITE } from "./sql-dialect.js";
import { SWEEPING, UNSWEPT } from "./usage.js";

/** Calls that the first statement of a search looks at, and how many later ones do at least and at most. */
const SCAN_CALLS_FIRST = 500;
const SCAN_CALLS_MIN = 200;
const SCAN_CALLS_MAX = 8_000;
/** The most where an index leads to them: each stands on a page of its own, which may have to come from the disk. */
const SCAN_SCATTERED_CALLS_MAX = 500;
/** What a statement should take; the next one is fitted to it, since calls that are not in memory cost many times as much. */
const SCAN_STEP_MS = 10;
/** How long a page goes on searching before it answers with what it has and a token to go on from. */
const SCAN_TIME_MS = 40;
/** Calls among which a list is sorted by anything but time. */
export const SORTED_CALLS_MAX = 100_000;
/** The same where an index leads to them: then each stands on a page of its own. */
export const SORTED_INDEXED_CALLS_MAX = 20_000;
/** Totals are counted up to here, among this many calls. */
export const TOTAL_CALLS_MAX = 10_000;
const COUNTED_CALLS_MAX = 20_000;
/** How long the counting goes on. */
const COUNT_TIME_MS = 35;
/** One or two Latin letters would match nearly every call; two Chinese ones may be a whole word. */
const TOO_SHORT = /^[ -~]{1,2}$/;

/** A page of calls. It may hold fewer than asked for, and even none, while its token leads on. */
export interface CallPage extends FullPage<CallRecord> {
  readonly totalIsExact: boolean;
}

/** Where to look, and what must hold of each call found there. */
interface Search {
  /** Answered by an index; empty for all calls. */
  readonly access: readonly Clause[];
  /** Whether one of these is by client key, provider key or owner. */
  readonly indexed: boolean;
  readonly residual: readonly Clause[];
}

type SortedCallRow = CallRow & { page_sort: string | number; page_anchor: number };

/**
 * One page of calls, by default the newest first, where time means the order in which they were recorded:
 * only that order never puts a new call between pages that have been seen. Sorted by something else, the
 * newest hundred thousand that were there when the first page was asked for are sorted, or the newest twenty thousand
 * of one client key, provider key or owner.
 * However rare a match is, no statement runs long: a search goes on in steps and ends early, so that a page
 * takes a tenth of a second at most. Throws Fault `invalid_argument`.
 */
export async function listCalls(db: Db, query: PageQuery, clock: Clock): Promise<CallPage> {
  const sort = sortOf(CALL_FIELDS, query, { field: "time", descending: true });
  const byTime = query.orderBy === "" || sort.sql === "started_at";
  const search = await planSearch(db, query);
  const list: CallSource = { db, search, sort, clock };
  const pageOf = byTime
    ? fetchPage(
        {
          noun: "calls",
          shape: ["number"],
          positionOf: (row: CallRow) => [row.seq],
          fetch: (request) => fetchByTime(list, request),
        },
        query,
      )
    : fetchPage(
        {
          noun: "calls",
          shape: ["number", sort.type, "number"],
          positionOf: (row: SortedCallRow) => [row.page_anchor, row.page_sort, row.seq],
          fetch: (request) => fetchSorted(list, request),
        },
        query,
      );
  const [{ rows, ...tokens }, matches] = await Promise.all([pageOf, countMatches(list)]);
  return { items: rows.map(toCallRecord), ...tokens, ...matches };
}

/** One call; undefined when it is not there or belongs to a deleted client key. */
export async function readCall(db: Db, id: string): Promise<CallRecord | undefined> {
  const [row] = await db.rows<CallRow>(
    withNames(`SELECT * FROM calls WHERE id = ? AND client_key_ref NOT IN (${UNSWEPT})`, "c.seq"),
    [id],
  );
  return row === undefined ? undefined : toCallRecord(row);
}

interface CallSource {
  readonly db: Db;
  readonly search: Search;
  readonly sort: Sort;
  readonly clock: Clock;
}

async function planSearch(db: Db, query: PageQuery): Promise<Search> {
  if (TOO_SHORT.test(query.text.trim())) {
    throw invalidField("text", "needs at least 3 letters to search calls");
  }
  const residual = [...filterClauses(CALL_FIELDS, query)];
  const access: Clause[] = [];
  const indexed = bestIndexed(query.conditions);
  if (indexed !== undefined) {
    const refs = await db.rows<{ id: number }>(indexed.exactly, indexed.values);
    // Of several records with one name each has its own place in the index; then all calls are searched.
    if (refs.length <= 1) {
      access.push({ sql: `${indexed.column} = ?`, values: [refs[0]?.id ?? -1] });
      residual.splice(indexed.place, 1);
    }
  }
  const [sweeping] = await db.rows<{ yes: number }>(`SELECT EXISTS (${SWEEPING}) AS yes`);
  if (sweeping?.yes === 1) {
    residual.push({ sql: `client_key_ref NOT IN (${UNSWEPT})`, values: [] });
  }
  const range = await seqRange(db, query.conditions);
  return { access: [...access, ...range], indexed: access.length > 0, residual };
}

/** The condition with the best index, and its place among the conditions. */
function bestIndexed(conditions: readonly Condition[]) {
  for (const [name, { column, exactly }] of Object.entries(INDEXED)) {
    const place = conditions.findIndex(
      ({ field, op, value }) =>
        op === "=" && !value.includes(",") && fieldNamed(CALL_FIELDS, field, "filter")[0] === name,
    );
    const value = conditions[place]?.value;
    if (value === undefined) continue;
    const values = Array.from({ length: exactly.split("?").length - 1 }, () => value);
    return { column, exactly, values, place };
  }
  return undefined;
}

/** The rows among which calls of a time are: bounds of `seq` from the minutes that the conditions allow. */
async function seqRange(db: Db, conditions: readonly Condition[]): Promise<readonly Clause[]> {
  const times = conditions.filter(
    ({ field, op }) =>
      fieldNamed(CALL_FIELDS, field, "filter")[1].sql === "started_at" && op !== "!=",
  );
  if (times.length === 0) return [];
  const minutes = times.map((condition): Clause => {
    const clause = conditionClause(CALL_FIELDS, condition);
    // A minute counts when some moment of it may satisfy the condition.
    const [value = 0] = clause.values;
    const minute = Math.floor(Number(value) / MINUTE_MS) * MINUTE_MS;
    if (condition.op === "=") return { sql: "minute_ms = ?", values: [minute] };
    return condition.op.startsWith(">")
      ? { sql: "minute_ms >= ?", values: [minute] }
      : { sql: "minute_ms <= ?", values: [minute] };
  });
  const [range] = await db.rows<{ first: number | null; last: number | null }>(
    `SELECT min(first_seq) AS first, max(last_seq) AS last FROM call_minutes ${whereOf(minutes)}`,
    valuesOf(minutes),
  );
  const { first, last } = range ?? { first: null, last: null };
  return [{ sql: "seq >= ? AND seq <= ?", values: [first ?? 0, last ?? -1] }];
}

async function fetchByTime(list: CallSource, request: RowRequest): Promise<Fetched<CallRow>> {
  const { db, search, clock } = list;
  const descending = list.sort.descending !== request.reversed;
  const began = clock.monotonic();
  const rows: CallRow[] = [];
  let cursor = request.after?.[0];
  for (let scan = SCAN_CALLS_FIRST; ;) {
    const stepBegan = clock.monotonic();
    const step: ScanStep = { search, cursor, descending, scan };
    rows.push(...(await readStep(db, step, request.limit - rows.length)));
    if (rows.length >= request.limit || search.residual.length === 0) return { rows };
    const end = await endOfStep(db, step);
    if (end === undefined) return { rows };
    cursor = end;
    if (clock.monotonic() - began > SCAN_TIME_MS) return { rows, stoppedAt: [end] };
    scan = nextScan(step, clock.monotonic() - stepBegan);
  }
}

function nextScan({ search, scan }: ScanStep, tookMs: number): number {
  const fitting = Math.floor((scan * SCAN_STEP_MS) / Math.max(tookMs, 1));
  const scattered = search.indexed && search.residual.length > 0;
  const max = scattered ? SCAN_SCATTERED_CALLS_MAX : SCAN_CALLS_MAX;
  return Math.min(Math.max(fitting, SCAN_CALLS_MIN), scan * 2, max);
}

/** A stretch of calls that one statement looks at. */
interface ScanStep {
  readonly search: Search;
  readonly cursor: string | number | undefined;
  readonly descending: boolean;
  readonly scan: number;
}

function stretch({ search, cursor, descending, scan }: ScanStep, columns: string) {
  const beyond: readonly Clause[] =
    cursor === undefined ? [] : [{ sql: `seq ${descending ? "<" : ">"} ?`, values: [cursor] }];
  const clauses = [...search.access, ...beyond];
  return {
    sql: `SELECT ${columns} FROM calls ${whereOf(clauses)} ORDER BY seq ${descending ? "DESC" : "ASC"} LIMIT ${scan}`,
    values: valuesOf(clauses),
  };
}

async function readStep(db: Db, step: ScanStep, limit: number): Promise<readonly CallRow[]> {
  const { residual } = step.search;
  const order = step.descending ? "DESC" : "ASC";
  const inner = stretch(residual.length === 0 ? { ...step, scan: limit } : step, "*");
  return db.rows<CallRow>(
    withNames(
      `SELECT * FROM (${inner.sql}) ${whereOf(residual)} ORDER BY seq ${order} LIMIT ${limit}`,
      `c.seq ${order}`,
    ),
    [...inner.values, ...valuesOf(residual)],
  );
}

/** The last call of a stretch; undefined when the stretch reached the end of all calls. */
async function endOfStep(db: Db, step: ScanStep): Promise<number | undefined> {
  const inner = stretch(step, "seq");
  const [edge] = await db.rows<{ seen: number; last: number | null }>(
    `SELECT count(*) AS seen, ${step.descending ? "min" : "max"}(seq) AS last FROM (${inner.sql})`,
    inner.values,
  );
  return edge !== undefined && edge.seen === step.scan ? (edge.last ?? undefined) : undefined;
}

async function fetchSorted(
  { db, search, sort }: CallSource,
  { after, reversed, limit }: RowRequest,
): Promise<Fetched<SortedCallRow>> {
  const anchor = await anchorOf(db, after);
  const order: Sort = { ...sort, descending: sort.descending !== reversed };
  // New calls have higher numbers, so what is sorted stays the same from page to page.
  const among = [...search.access, { sql: "seq <= ?", values: [anchor] }];
  const clauses =
    after === undefined
      ? search.residual
      : [...search.residual, keysetClause(order, "seq", after.slice(1))];
  const direction = order.descending ? "DESC" : "ASC";
  const most = search.indexed ? SORTED_INDEXED_CALLS_MAX : SORTED_CALLS_MAX;
  const rows = await db.rows<Omit<SortedCallRow, "page_anchor">>(
    withNames(
      `SELECT *, ${sort.sql} AS page_sort
       FROM (SELECT * FROM calls ${whereOf(among)} ORDER BY seq DESC LIMIT ${most})
       ${whereOf(clauses)} ORDER BY ${orderOf(order, "seq")} LIMIT ${limit}`,
      `c.page_sort ${direction}, c.seq ${direction}`,
    ),
    [...valuesOf(among), ...valuesOf(clauses)],
  );
  return { rows: rows.map((row) => ({ ...row, page_anchor: anchor })) };
}

async function anchorOf(db: Db, after: Position | undefined): Promise<number> {
  if (after !== undefined) return Number(after[0]);
  const [newest] = await db.rows<{ seq: number | null }>("SELECT max(seq) AS seq FROM calls");
  return newest?.seq ?? 0;
}

/** Counts in steps, as far as the time goes: what is not in memory, or takes long to compare, is not all counted. */
async function countMatches({
  db,
  search,
  clock,
}: CallSource): Promise<{ total: number; totalIsExact: boolean }> {
  const began = clock.monotonic();
  let [total, seen] = [0, 0];
  let cursor: number | undefined;
  for (let scan = SCAN_CALLS_FIRST; ;) {
    const stepBegan = clock.monotonic();
    const step: ScanStep = { search, cursor, descending: true, scan };
    const counted = await countStep(db, step);
    total += counted.matches;
    seen += counted.seen;
    if (total > TOTAL_CALLS_MAX) return { total: TOTAL_CALLS_MAX + 1, totalIsExact: false };
    if (counted.seen < scan) return { total, totalIsExact: true };
    const nowMs = clock.monotonic();
    if (seen >= COUNTED_CALLS_MAX || nowMs - began > COUNT_TIME_MS) {
      return { total, totalIsExact: false };
    }
    cursor = counted.last;
    scan = Math.min(nextScan(step, nowMs - stepBegan), COUNTED_CALLS_MAX - seen);
  }
}

async function countStep(
  db: Db,
  step: ScanStep,
): Promise<{ readonly seen: number; readonly matches: number; readonly last: number }> {
  const { residual } = step.search;
  // Without anything to compare the index alone is counted.
  const inner = stretch(step, residual.length === 0 ? "seq" : "*");
  const condition = residual.length === 0 ? "true" : residual.map(({ sql }) => sql).join(" AND ");
  const [row] = await db.rows<{ seen: number; matches: number; last: number }>(
    `SELECT count(*) AS seen, count(CASE WHEN ${condition} THEN 1 END) AS matches,
       COALESCE(min(seq), 0) AS last FROM (${inner.sql})`,
    [...valuesOf(residual), ...inner.values],
  );
  if (row === undefined) throw new Error("a count has no row");
  return row;
}

/** A page of rows with names in place of numbers. */
function withNames(page: string, order: string): string {
  return `SELECT c.*, ${SQLITE.jsonOut("c.body")} AS body, ck.name AS client_key_id, ow.name AS owner_id, pk.name AS provider_key_id, pr.name AS provider_id
    FROM (${page}) c
    JOIN ledger_names ck ON ck.id = c.client_key_ref
    JOIN ledger_names ow ON ow.id = c.owner_ref
    LEFT JOIN ledger_names pk ON pk.id = c.provider_key_ref
    LEFT JOIN ledger_names pr ON pr.id = c.provider_ref
    ORDER BY ${order}`;
}
