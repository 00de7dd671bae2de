import type { CallRecord } from "../core/call.js";
import { addCall, addRow, COLUMNS } from "./call-sums.js";

/** Seconds of history; longer than the longest window. A power of two makes the slot a mask. */
export const RING_SECONDS = 1024;
const MASK = RING_SECONDS - 1;

/** Sums of calls by the second in which they finished, for the last quarter of an hour. */
export class SecondRing {
  readonly #rows = new Float64Array(RING_SECONDS * COLUMNS);
  /** The newest second that has a row. */
  #newest = -1;

  /** Adds a call to a second; one before the newest counts as the newest, since the clock never goes back. */
  add(second: number, record: CallRecord): void {
    if (second > this.#newest) this.#advance(second);
    addCall(this.#rows, (this.#newest & MASK) * COLUMNS, record);
  }

  /** Sums of the seconds `first` to `last`, both included. */
  sum(first: number, last: number): Float64Array {
    const sum = new Float64Array(COLUMNS);
    const from = Math.max(0, first, this.#newest - RING_SECONDS + 1);
    const to = Math.min(last, this.#newest);
    for (let second = from; second <= to; second++) {
      addRow(sum, this.#rows, (second & MASK) * COLUMNS);
    }
    return sum;
  }

  #advance(second: number): void {
    const gap = Math.min(RING_SECONDS, second - this.#newest);
    for (let i = 0; i < gap; i++) {
      const at = ((second - i) & MASK) * COLUMNS;
      this.#rows.fill(0, at, at + COLUMNS);
    }
    this.#newest = second;
  }
}
