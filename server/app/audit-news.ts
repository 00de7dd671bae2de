import type { AuditEvent } from "../core/audit.js";
import { Tally } from "../observe/tally.js";

/**
 * Tells the watchers of the audit log that there are new events, which they then read from the database, and counts
 * these.
 */
export class AuditNews {
  readonly #listeners = new Set<() => void>();
  #lastSeq = 0;
  /** Since the start of the process. */
  readonly actions = new Tally(["action", "outcome"]);

  readonly lastSeq = (): number => this.#lastSeq;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Called after each commit that was audited. */
  committed(events: readonly AuditEvent[]): void {
    const last = events.at(-1);
    if (last === undefined) return;
    this.#lastSeq = last.seq;
    for (const { action, outcome } of events) {
      this.actions.add({ action, outcome: outcome.toLowerCase() });
    }
    for (const listener of this.#listeners) listener();
  }
}
