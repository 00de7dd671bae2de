import { MINUTE_MS } from "../core/durations.js";

/** The span over which "per minute" holds: any sixty seconds, not calendar minutes. */
export const WINDOW_MS = MINUTE_MS;
/** Entries kept of one window. As long as there are no more admissions, each is known to the millisecond. */
export const WINDOW_ENTRIES_MAX = 64;
const GRAIN_MS = WINDOW_MS / WINDOW_ENTRIES_MAX;

/** Something that was admitted; its amount may be corrected while it is in the window. */
export interface WindowEntry {
  readonly fromMs: number;
  /** The latest admission in it: it leaves the window a minute after that. */
  atMs: number;
  amount: number;
  /** The entry that holds its amount since it was joined with a neighbour; null before. */
  into: WindowEntry | null;
}

/**
 * How much was admitted in the last minute of monotonic time, so that in no minute whatever more than the
 * limit gets through. (A bucket that refills evenly lets nearly twice the limit through in its first minute.)
 * Busy windows join neighbouring entries: the earlier one then counts a moment too long, and never too short.
 */
export class SlidingWindow {
  readonly #entries: WindowEntry[] = [];
  #head = 0;
  #total = 0;

  /** What was admitted in the last minute. */
  total(nowMs: number): number {
    this.#expire(nowMs);
    return this.#total;
  }

  /** Milliseconds until `amount` more fits under `limit`; 0 when it does now. */
  waitMs(amount: number, limit: number, nowMs: number): number {
    this.#expire(nowMs);
    let over = this.#total + amount - limit;
    if (over <= 0) return 0;
    for (let i = this.#head; i < this.#entries.length; i++) {
      const entry = this.#entries[i];
      if (entry === undefined) break;
      over -= entry.amount;
      if (over <= 0) return entry.atMs + WINDOW_MS - nowMs;
    }
    return WINDOW_MS;
  }

  /** Milliseconds until the window is empty. */
  resetMs(nowMs: number): number {
    this.#expire(nowMs);
    const last = this.#entries.at(-1);
    return last === undefined ? 0 : last.atMs + WINDOW_MS - nowMs;
  }

  /** Books an admission and returns the entry that holds it. */
  add(amount: number, nowMs: number): WindowEntry {
    this.#expire(nowMs);
    this.#total += amount;
    const last = this.#entries.at(-1);
    const isFull = this.#entries.length - this.#head >= WINDOW_ENTRIES_MAX;
    if (isFull && last !== undefined && nowMs - last.fromMs < GRAIN_MS) {
      last.amount += amount;
      last.atMs = nowMs;
      return last;
    }
    const entry: WindowEntry = { fromMs: nowMs, atMs: nowMs, amount, into: null };
    this.#entries.push(entry);
    if (isFull) this.#joinNearest();
    return entry;
  }

  /** Changes what an entry holds, e.g. from a reservation to what was used. An entry that has left the window stays as it is. */
  correct(booked: WindowEntry, by: number, nowMs: number): void {
    let entry = booked;
    while (entry.into !== null) entry = entry.into;
    if (entry.atMs + WINDOW_MS <= nowMs) return;
    entry.amount += by;
    this.#total += by;
  }

  /** True when nothing is left in the window. */
  isIdle(nowMs: number): boolean {
    this.#expire(nowMs);
    return this.#entries.length === 0;
  }

  #expire(nowMs: number): void {
    for (;;) {
      const oldest = this.#entries[this.#head];
      if (oldest === undefined || oldest.atMs + WINDOW_MS > nowMs) break;
      this.#total -= oldest.amount;
      this.#head++;
    }
    if (this.#head === this.#entries.length) {
      this.#entries.length = 0;
      this.#head = 0;
      this.#total = 0;
    } else if (this.#head > WINDOW_ENTRIES_MAX) {
      this.#entries.splice(0, this.#head);
      this.#head = 0;
    }
  }

  /** Joins the two neighbours that span the least time, so that the least sharpness is lost. */
  #joinNearest(): void {
    let at = this.#head;
    let leastMs = Infinity;
    for (let i = this.#head; i + 1 < this.#entries.length; i++) {
      const spanMs = (this.#entries[i + 1]?.atMs ?? 0) - (this.#entries[i]?.fromMs ?? 0);
      if (spanMs < leastMs) {
        leastMs = spanMs;
        at = i;
      }
    }
    const earlier = this.#entries[at];
    const later = this.#entries[at + 1];
    if (earlier === undefined || later === undefined) return;
    earlier.amount += later.amount;
    earlier.atMs = later.atMs;
    later.into = earlier;
    this.#entries.splice(at + 1, 1);
  }
}
