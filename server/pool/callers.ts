import { MINUTE_MS } from "../core/durations.js";

/** So long after its last call a user may come back to the pool and find its keys at rest. */
const STAYS_MS = 10 * MINUTE_MS;

/** Whose calls come to the public pool: of one user alone there is nobody whom that one's requests could harm. */
export class Callers {
  #lastId = "";
  #changedAtMs = -Infinity;

  /** A user asks for a key, or would if there were one. */
  note(userId: string, nowMs: number): void {
    if (userId === this.#lastId) return;
    if (this.#lastId !== "") this.#changedAtMs = nowMs;
    this.#lastId = userId;
  }

  /** More than one has called of late. */
  areSeveral(nowMs: number): boolean {
    return nowMs - this.#changedAtMs < STAYS_MS;
  }
}
