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

const PAGE_SIZE = 200;

/** Rows of one noun as far as they were asked for, refreshed while they are shown. */
export class Listing<Row> {
  readonly #fetch: (query: ListingQuery, signal: AbortSignal) => Promise<ListingPage<Row>>;
  readonly #onChange: () => void;
  readonly #clock: StateClock;
  readonly #refreshMs: number;
  #rows: readonly Row[] = [];
  #next = "";
  #total = 0;
  #status: ListingStatus = { kind: "loading" };
  #filter = "";
  #orderBy = "";
  #running: AbortController | undefined;
  #timer: { cancel(): void } | undefined;
  #active = false;

  constructor(options: {
    fetch: (query: ListingQuery, signal: AbortSignal) => Promise<ListingPage<Row>>;
    onChange: () => void;
    clock: StateClock;
    /** How often shown rows are fetched anew, milliseconds. */
    refreshMs: number;
  }) {
    this.#fetch = options.fetch;
    this.#onChange = options.onChange;
    this.#clock = options.clock;
    this.#refreshMs = options.refreshMs;
  }

  get rows(): readonly Row[] {
    return this.#rows;
  }

  get total(): number {
    return this.#total;
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
    this.#filter = filter;
    this.#status = { kind: "loading" };
    this.refresh();
  }

  setOrder(orderBy: string): void {
    this.#orderBy = orderBy;
    this.refresh();
  }

  /** Fetches what is shown anew, from the first row on. */
  refresh(): void {
    const wanted = Math.max(PAGE_SIZE, this.#rows.length);
    void this.#load({ pageToken: "", pageSize: Math.min(wanted, 1000) });
  }

  /** Fetches the next page, if there is one. */
  more(): void {
    if (this.#next === "" || this.#running !== undefined) return;
    void this.#load({ pageToken: this.#next, pageSize: PAGE_SIZE });
  }

  async #load(page: { pageToken: string; pageSize: number }): Promise<void> {
    this.#timer?.cancel();
    this.#running?.abort();
    const running = new AbortController();
    this.#running = running;
    const query = { ...page, filter: this.#filter, orderBy: this.#orderBy };
    try {
      const { rows, nextPageToken, total } = await this.#fetch(query, running.signal);
      if (running.signal.aborted) return;
      this.#rows = page.pageToken === "" ? rows : [...this.#rows, ...rows];
      this.#next = nextPageToken;
      this.#total = total;
      this.#status = { kind: "ready" };
    } catch (error) {
      if (running.signal.aborted) return;
      this.#status = statusOf(toApiError(error), this.#rows.length > 0);
    }
    this.#running = undefined;
    this.#onChange();
    if (this.#active) this.#timer = this.#clock.setTimer(() => this.refresh(), this.#refreshMs);
  }
}

/** Rows that are there stay, dimmed, when the line is lost; a refusal takes their place. */
function statusOf(error: ApiError, hasRows: boolean): ListingStatus {
  if (error.isConnectionLoss && hasRows) return { kind: "stale" };
  if (error.code === "PERMISSION_DENIED") return { kind: "denied", message: error.message };
  return { kind: "error", message: error.message };
}
