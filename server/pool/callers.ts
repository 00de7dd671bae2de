import { MINUTE_MS } from "../core/durations.js";

/** How long a user counts as a caller of the pool after a call. */
const STAYS_MS = 10 * MINUTE_MS;

/** Whether several users draw on the public pool. A user alone cannot harm others by what they ask for. */
export class Callers {
  #lastId = "";
  #changedAtMs = -Infinity;

  /** A user asks for a key, or would if there were one. */
  note(userId: string, nowMs: number): void {
    if (userId === this.#lastId) return;
    if (this.#lastId !== "") this.#changedAtMs = nowMs;
    this.#lastId = userId;
  }

  /** True when more than one user has called lately. */
  areSeveral(nowMs: number): boolean {
    return nowMs - this.#changedAtMs < STAYS_MS;
  }
}
