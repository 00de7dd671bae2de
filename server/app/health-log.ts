import type { Clock, Timer } from "../core/clock.js";
import { SECOND_MS } from "../core/durations.js";
import type { Logger } from "../core/logger.js";
import type { Health } from "../core/provider-key.js";

/** Within this time each provider key has one line, and what changes again is told at its end. */
export const HEALTH_LOG_INTERVAL_MS = 10 * SECOND_MS;
/** Lines within that time; keys beyond are told of by their number alone. */
export const HEALTH_LINES_MAX = 20;

interface Held {
  /** What was last told of the key. */
  readonly from: Health;
  to: Health;
  changes: number;
}

/** Tells the log how provider keys are: each change at once where there are few, and in sums where limits make many flap. */
export class HealthLog {
  readonly #clock: Clock;
  readonly #logger: Logger;
  /** Runs while something was told lately. */
  #timer: Timer | undefined;
  /** Lines since it runs. */
  #lines = 0;
  /** What was told of keys since it runs. */
  readonly #told = new Map<string, Health>();
  /** What was not. */
  readonly #held = new Map<string, Held>();

  constructor(clock: Clock, logger: Logger) {
    this.#clock = clock;
    this.#logger = logger;
  }

  changed(providerKeyId: string, from: Health, to: Health): void {
    const held = this.#held.get(providerKeyId);
    if (held !== undefined) {
      held.to = to;
      held.changes++;
    } else if (this.#told.has(providerKeyId) || this.#lines >= HEALTH_LINES_MAX) {
      this.#held.set(providerKeyId, { from, to, changes: 1 });
    } else this.#tell(providerKeyId, { from, to });
    this.#timer ??= this.#clock.setTimer(() => {
      this.#tellHeld();
    }, HEALTH_LOG_INTERVAL_MS);
  }

  /** Tells what was held back, and nothing more. */
  stop(): void {
    this.#tellHeld();
    this.#timer?.cancel();
  }

  #tellHeld(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    const held = [...this.#held];
    this.#held.clear();
    this.#told.clear();
    this.#lines = 0;
    let [keys, changes] = [0, 0];
    for (const [id, each] of held) {
      if (this.#lines < HEALTH_LINES_MAX) {
        this.#tell(id, { from: each.from, to: each.to, more: each.changes - 1 });
      } else {
        keys++;
        changes += each.changes;
      }
    }
    if (keys > 0) this.#logger.info({ keys, changes }, "more provider keys changed their health");
    if (held.length === 0) return;
    this.#timer = this.#clock.setTimer(() => {
      this.#tellHeld();
    }, HEALTH_LOG_INTERVAL_MS);
  }

  /** What goes to and fro may end where it began, which is told as well. */
  #tell(
    providerKeyId: string,
    change: { from: Health; to: Health; more?: number | undefined },
  ): void {
    this.#lines++;
    this.#told.set(providerKeyId, change.to);
    this.#logger.info({ providerKeyId, ...change }, "provider key health");
  }
}
