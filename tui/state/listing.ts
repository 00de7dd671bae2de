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

/** Rows of one noun as far as they were asked for, refreshed while they are shown. */
export class Listing<Row> {
  readonly #options: ListingOptions<Row>;
  #rows: readonly Row[] = [];
  #next = "";
  #total = 0;
  #status: ListingStatus = { kind: "loading" };
  #filter = "";
  #orderBy = "";
  #running: AbortController | undefined;
  #timer: { cancel(): void } | undefined;
  #active = false;

  constructor(options: ListingOptions<Row>) {
    this.#options = options;
  }

  get rows(): readonly Row[] {
    return this.#rows;
  }

  get total(): number {
    return this.#total;
  }

  /** Rows that `more` can bring here. */
  get reach(): number {
    return this.#next === "" ? this.#rows.length : Math.min(this.#total, ROWS_MAX);
  }

  /** False for lists so long that they are fetched anew only when a person asks. */
  get renews(): boolean {
    return this.#rows.length <= PAGE_SIZE_MAX;
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

  /** Fetches what is shown anew, from the first row to the last one that was loaded. */
  refresh(): void {
    void this.#run(async (signal) => {
      const wanted = Math.max(PAGE_SIZE, this.#rows.length);
      let rows: readonly Row[] = [];
      let page: ListingPage<Row>;
      let pageToken = "";
      do {
        const pageSize = Math.min(PAGE_SIZE_MAX, wanted - rows.length);
        page = await this.#options.fetch(this.#query(pageSize, pageToken), signal);
        rows = [...rows, ...page.rows];
        pageToken = page.nextPageToken;
      } while (pageToken !== "" && rows.length < wanted);
      return { ...page, rows };
    });
  }

  /** Fetches the next page, if there is one; a large one when far more rows are wanted. */
  more(wanted = 0): void {
    if (this.#next === "" || this.#running !== undefined || this.#rows.length >= ROWS_MAX) return;
    const missing = wanted - this.#rows.length;
    const pageSize = Math.max(PAGE_SIZE, Math.min(PAGE_SIZE_MAX, missing));
    void this.#run(async (signal) => {
      const page = await this.#options.fetch(this.#query(pageSize, this.#next), signal);
      return { ...page, rows: [...this.#rows, ...page.rows] };
    });
  }

  /** Another filter or order: the rows so far answer another question. */
  #restart(): void {
    this.#rows = [];
    this.#next = "";
    this.#total = 0;
    this.#status = { kind: "loading" };
    if (this.#active) this.refresh();
  }

  #query(pageSize: number, pageToken: string): ListingQuery {
    return { pageSize, pageToken, filter: this.#filter, orderBy: this.#orderBy };
  }

  async #run(load: (signal: AbortSignal) => Promise<ListingPage<Row>>): Promise<void> {
    this.#timer?.cancel();
    this.#running?.abort();
    const running = new AbortController();
    this.#running = running;
    try {
      const { rows, nextPageToken, total } = await load(running.signal);
      if (running.signal.aborted) return;
      this.#rows = rows;
      this.#next = nextPageToken;
      this.#total = Math.max(total, rows.length);
      this.#status = { kind: "ready" };
    } catch (error) {
      if (running.signal.aborted) return;
      this.#status = statusOf(toApiError(error), this.#rows.length > 0);
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
