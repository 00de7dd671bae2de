import { type ApiError, toApiError } from "../api/api-error.js";
import type { StateClock } from "./clock.js";

/** What a list asks the server for. */
export interface ListingQuery {
  readonly pageSize: number;
  readonly pageToken: string;
  readonly filter: string;
  readonly orderBy: string;
}

export interface ListingPage<Row> {
  readonly rows: readonly Row[];
  readonly nextPageToken: string;
  readonly total: number;
}

export type ListingStatus =
  | { readonly kind: "loading" }
  | { readonly kind: "ready" }
  | { readonly kind: "stale" }
  | { readonly kind: "error"; readonly message: string }
  | { readonly kind: "denied"; readonly message: string };

export interface ListingOptions<Row> {
  readonly fetch: (query: ListingQuery, signal: AbortSignal) => Promise<ListingPage<Row>>;
  readonly onChange: () => void;
  readonly clock: StateClock;
  /** The order of a query that names none, as `field` or `field desc`. */
  readonly naturalOrder: string;
  /** How often shown rows are fetched anew, milliseconds. */
  readonly refreshMs: number;
  /** While true nothing is fetched but what a person asks for. */
  readonly paused: () => boolean;
}

const PAGE_SIZE = 200;
/** Largest page the server gives; also the most rows that are kept fresh without being asked. */
const PAGE_SIZE_MAX = 1000;
/** More rows than this are of no use to a reader; a filter is. */
const ROWS_MAX = 20_000;

/** Rows of a list without a gap, from one of its ends on, in the order of the list. */
interface Stretch<Row> {
  readonly rows: readonly Row[];
  /** They are the last ones, fetched in the opposite order. */
  readonly fromEnd: boolean;
  /** For the page that goes on from them; empty when they are all there are. */
  readonly next: string;
  readonly total: number;
}

const NOTHING = { rows: [], fromEnd: false, next: "", total: 0 } as const;

/**
 * Rows of one noun from the first or the last one on, as far as they were asked for, refreshed while they are
 * shown. The last ones are fetched as the first of the opposite order, whatever lies between.
 */
export class Listing<Row> {
  readonly #options: ListingOptions<Row>;
  #here: Stretch<Row> = NOTHING;
  #status: ListingStatus = { kind: "loading" };
  #filter = "";
  #orderBy = "";
  #running: AbortController | undefined;
  /** What runs was asked for by a person, not by the time. */
  #wanted = false;
  #timer: { cancel(): void } | undefined;
  #active = false;

  constructor(options: ListingOptions<Row>) {
    this.#options = options;
  }

  get rows(): readonly Row[] {
    return this.#here.rows;
  }

  /** Place of the first of the rows here in the whole list. */
  get first(): number {
    const { rows, fromEnd, next, total } = this.#here;
    return fromEnd && next !== "" ? total - rows.length : 0;
  }

  /** Rows of the whole list. */
  get total(): number {
    return this.#here.total;
  }

  /** False for lists so long that they are fetched anew only when a person asks. */
  get renews(): boolean {
    return this.rows.length <= PAGE_SIZE_MAX;
  }

  get status(): ListingStatus {
    return this.#status;
  }

  get filter(): string {
    return this.#filter;
  }

  /** Begins to fetch and to keep the rows fresh. */
  open(): void {
    this.#active = true;
    this.refresh();
  }

  close(): void {
    this.#active = false;
    this.#timer?.cancel();
    this.#running?.abort();
    this.#running = undefined;
  }

  /** Shows only what the server's filter lets through. */
  setFilter(filter: string): void {
    if (filter === this.#filter) return;
    this.#filter = filter;
    this.#restart();
  }

  setOrder(orderBy: string): void {
    if (orderBy === this.#orderBy) return;
    this.#orderBy = orderBy;
    this.#restart();
  }

  /** Fetches what is shown anew, as many rows as were there. */
  refresh(): void {
    const { rows, fromEnd } = this.#here;
    void this.#run((signal) => this.#stretch(fromEnd, rows.length, signal));
  }

  /**
   * Brings the row at a place of the list: with the page that goes on from what is here, or anew from the other end
   * where that is far nearer. False when it is too far from both.
   */
  want(place: number): boolean {
    const { rows, fromEnd, next, total } = this.#here;
    if (next === "") return false;
    if (this.#running !== undefined && this.#wanted) return true;
    const missing = fromEnd ? this.first - place : place + 1 - rows.length;
    const fromOther = fromEnd ? place + 1 : total - place;
    const turns = missing > PAGE_SIZE_MAX && fromOther < missing;
    const rowsThen = turns ? fromOther : rows.length + Math.max(1, missing);
    if (rowsThen > ROWS_MAX) return false;
    if (turns) {
      void this.#run((signal) => this.#stretch(!fromEnd, fromOther, signal), true);
      return true;
    }
    const size = Math.max(PAGE_SIZE, Math.min(PAGE_SIZE_MAX, missing));
    void this.#run((signal) => this.#goOn(this.#here, size, signal), true);
    return true;
  }

  /** Another filter or order: the rows so far answer another question. */
  #restart(): void {
    this.#here = NOTHING;
    this.#status = { kind: "loading" };
    if (this.#active) this.refresh();
  }

  /** At least so many rows from one end on. */
  async #stretch(fromEnd: boolean, atLeast: number, signal: AbortSignal): Promise<Stretch<Row>> {
    const wanted = Math.max(PAGE_SIZE, atLeast);
    let here: Stretch<Row> = { ...NOTHING, fromEnd };
    do {
      const size = Math.min(PAGE_SIZE_MAX, wanted - here.rows.length);
      here = await this.#goOn(here, size, signal);
    } while (here.next !== "" && here.rows.length < wanted);
    return here;
  }

  /** The rows given and the next page of them. */
  async #goOn(here: Stretch<Row>, pageSize: number, signal: AbortSignal): Promise<Stretch<Row>> {
    const { fromEnd, next: pageToken } = here;
    const orderBy = fromEnd ? opposite(this.#orderBy || this.#options.naturalOrder) : this.#orderBy;
    const query = { pageSize, pageToken, filter: this.#filter, orderBy };
    const page = await this.#options.fetch(query, signal);
    const rows = fromEnd ? [...page.rows.toReversed(), ...here.rows] : [...here.rows, ...page.rows];
    const total = Math.max(page.total, rows.length);
    return { rows, fromEnd, next: page.nextPageToken, total };
  }

  async #run(load: (signal: AbortSignal) => Promise<Stretch<Row>>, wanted = false): Promise<void> {
    this.#timer?.cancel();
    this.#running?.abort();
    const running = new AbortController();
    this.#running = running;
    this.#wanted = wanted;
    try {
      const here = await load(running.signal);
      if (running.signal.aborted) return;
      this.#here = here;
      this.#status = { kind: "ready" };
    } catch (error) {
      if (running.signal.aborted) return;
      this.#status = statusOf(toApiError(error), this.rows.length > 0);
    }
    this.#running = undefined;
    this.#options.onChange();
    this.#schedule();
  }

  #schedule(): void {
    if (!this.#active) return;
    this.#timer = this.#options.clock.setTimer(() => {
      // Thousands of rows are not fetched over and over; Ctrl-R still does.
      if (this.#options.paused() || !this.renews) this.#schedule();
      else this.refresh();
    }, this.#options.refreshMs);
  }
}

/** Rows that are there stay, dimmed, when the line is lost; a refusal takes their place. */
function statusOf(error: ApiError, hasRows: boolean): ListingStatus {
  if (error.isConnectionLoss && hasRows) return { kind: "stale" };
  if (error.code === "PERMISSION_DENIED") return { kind: "denied", message: error.message };
  return { kind: "error", message: error.message };
}

/** The order that begins with what was last. */
function opposite(orderBy: string): string {
  const [field = "", direction] = orderBy.split(" ");
  return direction === "desc" ? field : `${field} desc`;
}
