import type { CallRecord } from "../core/call.js";

/** Calls with trouble that are kept for the dashboard. */
export const RECENT_ERRORS_MAX = 200;

/** A call that failed, or that succeeded only after an attempt had failed. */
export interface RecentError {
  /** Rises by one; a watcher shows what is above the last it has seen. */
  readonly seq: number;
  /** When the call ended, milliseconds since the epoch. */
  readonly atMs: number;
  readonly record: CallRecord;
}

/** The last calls with trouble, newest first when read. */
export class RecentErrors {
  readonly #ring: (RecentError | undefined)[] = Array.from<undefined>({
    length: RECENT_ERRORS_MAX,
  });
  #seq = 0;

  /** Keeps the call if something went wrong in it. */
  add(record: CallRecord, atMs: number): void {
    if (record.status === "SUCCESS" && record.attempts.length < 2) return;
    this.#seq += 1;
    this.#ring[this.#seq % RECENT_ERRORS_MAX] = { seq: this.#seq, atMs, record };
  }

  /** Those with a number above `afterSeq`, newest first, at most `max`. */
  newest(afterSeq = 0, max = RECENT_ERRORS_MAX): readonly RecentError[] {
    const found: RecentError[] = [];
    for (let seq = this.#seq; seq > afterSeq && found.length < max; seq--) {
      const error = this.#ring[seq % RECENT_ERRORS_MAX];
      // A slot that holds another number was overwritten: everything older is gone too.
      if (error?.seq !== seq) break;
      found.push(error);
    }
    return found;
  }
}
