import type { Call, WatchCallsResponse } from "../../proto/gen/latchkey/v1/calls_pb.js";
import { toApiError } from "../api/api-error.js";
import type { Api } from "../api/services.js";
import type { StateClock } from "./clock.js";
import { Follower, type LinkState } from "./follow.js";
import type { ListingStatus } from "./listing.js";

/** Calls that the watch brought and that are kept, newest first. */
const LIVE_MAX = 1000;
/** Older calls that were asked for by scrolling back. */
const OLDER_MAX = 20_000;
const PAGE_SIZE = 200;
/** The server counts calls so far. */
const COUNTED_MAX = 10_000;
/** Calls that the watch sends first: they bridge the gap between the list and the stream. */
const BACKFILL = 50;
/** The server sends a heartbeat after five quiet seconds. */
const STALE_MS = 12_000;

export interface CallsStateOptions {
  readonly api: Api;
  readonly clock: StateClock;
  readonly jitter: () => number;
  readonly onChange: () => void;
}

/** Calls as they end, on top of those that ended before; older ones come when they are scrolled to. */
export class CallsState {
  readonly #options: CallsStateOptions;
  readonly #follower: Follower<WatchCallsResponse>;
  #live: readonly Call[] = [];
  #older: readonly Call[] = [];
  /** Came while paused; shown when it goes on. */
  #waiting: readonly Call[] = [];
  #rows: readonly Call[] = [];
  #next: string | undefined;
  #dropped = 0n;
  /** Came live and went again because there was no room; the list has a gap for them. */
  #trimmed = 0;
  #total = 0;
  /** Until the list has come, the calls that are here came live. */
  #isLowerBound = true;
  #filter = "";
  #link: LinkState = { kind: "connecting" };
  #status: ListingStatus = { kind: "loading" };
  #loading: AbortController | undefined;
  #paused = false;
  #open = false;

  constructor(options: CallsStateOptions) {
    this.#options = options;
    this.#follower = new Follower({
      open: (signal) =>
        options.api.calls.watchCalls(
          { filter: this.#liveFilter(), backfill: BACKFILL },
          { signal },
        ),
      onMessage: (message) => this.#take(message),
      onLink: (link) => this.#onLink(link),
      staleAfterMs: () => STALE_MS,
      clock: options.clock,
      jitter: options.jitter,
    });
  }

  /** Newest first. */
  get rows(): readonly Call[] {
    return this.#rows;
  }

  get status(): ListingStatus {
    return this.#status;
  }

  get link(): LinkState {
    return this.#link;
  }

  get filter(): string {
    return this.#filter;
  }

  /** Calls that match the filter; where the server has not counted all, no more than that there are more. */
  get totalWords(): string {
    const total = Math.max(this.#total, this.#rows.length);
    if (total > COUNTED_MAX) return `${COUNTED_MAX}+`;
    return this.#isLowerBound && total > 0 ? `${total}+` : String(total);
  }

  /** Rows there are once the next page is here; all of a long log are more than anybody reads. */
  get reach(): number {
    const isEnd = this.#next === undefined || this.#next === "" || this.#older.length >= OLDER_MAX;
    return this.#rows.length + (isEnd ? 0 : PAGE_SIZE);
  }

  /** Calls that came while paused. */
  get newer(): number {
    return this.#waiting.length;
  }

  /** Calls left out because there were too many or this side was too slow. */
  get dropped(): number {
    return Number(this.#dropped) + this.#trimmed;
  }

  open(): void {
    this.#open = true;
    this.refresh();
  }

  close(): void {
    this.#open = false;
    this.#follower.stop();
    this.#loading?.abort();
    this.#loading = undefined;
  }

  setFilter(filter: string): void {
    if (filter === this.#filter) return;
    this.#filter = filter;
    if (this.#open) this.refresh();
  }

  /** Begins anew: lists, then watches. */
  refresh(): void {
    this.#live = [];
    this.#older = [];
    this.#waiting = [];
    this.#rows = [];
    this.#next = undefined;
    this.#total = 0;
    this.#isLowerBound = true;
    this.#trimmed = 0;
    this.#status = { kind: "loading" };
    this.#loading?.abort();
    this.#loading = undefined;
    void this.#load("");
    this.#follower.restart();
  }

  /** Holds the list still; calls that come meanwhile are kept for later, up to a bound. */
  setPaused(paused: boolean): void {
    if (paused === this.#paused) return;
    this.#paused = paused;
    if (!paused) {
      this.#add(this.#waiting);
      this.#waiting = [];
    }
  }

  /** Fetches calls before the last one; false when there are none. */
  more(): boolean {
    if (this.#next === undefined || this.#next === "" || this.#older.length >= OLDER_MAX)
      return false;
    if (this.#loading === undefined) void this.#load(this.#next);
    return true;
  }

  async #load(pageToken: string): Promise<void> {
    const loading = new AbortController();
    this.#loading = loading;
    try {
      const answer = await this.#options.api.calls.listCalls(
        { filter: this.#filter, pageSize: PAGE_SIZE, pageToken },
        { signal: loading.signal },
      );
      if (loading.signal.aborted) return;
      this.#next = answer.nextPageToken;
      this.#total = Number(answer.totalEstimate);
      this.#isLowerBound = answer.totalIsLowerBound;
      this.#older = [...this.#older, ...answer.calls];
      this.#status = { kind: "ready" };
      this.#merge();
    } catch (thrown) {
      if (loading.signal.aborted) return;
      this.#failed(thrown);
    }
    this.#loading = undefined;
    this.#options.onChange();
  }

  #failed(thrown: unknown): void {
    const error = toApiError(thrown);
    if (error.isConnectionLoss && this.#rows.length > 0) this.#status = { kind: "stale" };
    else if (error.code === "PERMISSION_DENIED") {
      this.#status = { kind: "denied", message: error.message };
    } else this.#status = { kind: "error", message: error.message };
  }

  #take(message: WatchCallsResponse): void {
    this.#dropped = message.stream?.dropped ?? 0n;
    // A stream that begins sends the newest calls first, which may be known already.
    const newest = [...this.#live, ...this.#waiting, ...this.#older.slice(0, PAGE_SIZE)];
    const known = new Set(newest.map((call) => call.id));
    // Sent in the order in which they ended; shown newest first.
    const fresh = message.calls.filter((call) => !known.has(call.id)).toReversed();
    this.#total += fresh.length;
    if (this.#paused) this.#waiting = this.#newest([...fresh, ...this.#waiting]);
    else this.#add(fresh);
    this.#options.onChange();
  }

  #add(calls: readonly Call[]): void {
    if (calls.length === 0) return;
    this.#live = this.#newest([...calls, ...this.#live]);
    this.#merge();
  }

  #newest(calls: readonly Call[]): readonly Call[] {
    this.#trimmed += Math.max(0, calls.length - LIVE_MAX);
    return calls.slice(0, LIVE_MAX);
  }

  #merge(): void {
    const live = new Set(this.#live.map((call) => call.id));
    this.#rows = [...this.#live, ...this.#older.filter((call) => !live.has(call.id))];
  }

  #onLink(link: LinkState): void {
    this.#link = link;
    const isSilent = link.kind === "lost" || link.kind === "stale";
    if (isSilent && this.#rows.length > 0) this.#status = { kind: "stale" };
    if (link.kind === "live" && this.#status.kind === "stale") this.#status = { kind: "ready" };
    this.#options.onChange();
  }

  /** A watch has no past, so times of the filter are left to the list. */
  #liveFilter(): string {
    return this.#filter
      .split(/\s+/)
      .filter((part) => !/^(time|since)[=!<>:]/.test(part))
      .join(" ");
  }
}
