import { SECOND_MS } from "../core/durations.js";

/** The time for which lines of one message are counted. */
export const LINES_INTERVAL_MS = 10 * SECOND_MS;
/** Lines of one message within that time; of more the log has the number alone. */
export const LINES_MAX = 50;
/** Messages that are counted at a time: nearly all are constants of the code. */
const MESSAGES_MAX = 1000;

interface Counted {
  readonly sinceMs: number;
  lines: number;
}

/**
 * Keeps the log readable, and the disk free, when something fails with every call: of each message it lets through so
 * many lines in a while, and counts the rest.
 */
export class LineBound {
  readonly #now: () => number;
  readonly #onMore: (message: string, lines: number) => void;
  readonly #messages = new Map<string, Counted>();
  /** When the first of them is over. */
  #nextMs = Number.POSITIVE_INFINITY;

  /** `onMore` is told how many lines of a message were left out, when the next line of any message comes. */
  constructor(now: () => number, onMore: (message: string, lines: number) => void) {
    this.#now = now;
    this.#onMore = onMore;
  }

  /** False for a line that is to be left out. */
  lets(message: string): boolean {
    const nowMs = this.#now();
    if (nowMs >= this.#nextMs) this.#endOld(nowMs);
    const counted = this.#messages.get(message);
    if (counted !== undefined) return ++counted.lines <= LINES_MAX;
    if (this.#messages.size >= MESSAGES_MAX) return true;
    this.#messages.set(message, { sinceMs: nowMs, lines: 1 });
    this.#nextMs = Math.min(this.#nextMs, nowMs + LINES_INTERVAL_MS);
    return true;
  }

  #endOld(nowMs: number): void {
    let oldestMs = Number.POSITIVE_INFINITY;
    for (const [message, { sinceMs, lines }] of this.#messages) {
      // One from the future is of a clock that was set back.
      if (nowMs >= sinceMs && nowMs < sinceMs + LINES_INTERVAL_MS) {
        oldestMs = Math.min(oldestMs, sinceMs);
        continue;
      }
      this.#messages.delete(message);
      if (lines > LINES_MAX) this.#onMore(message, lines - LINES_MAX);
    }
    this.#nextMs = oldestMs + LINES_INTERVAL_MS;
  }
}
