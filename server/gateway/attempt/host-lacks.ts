import type { Clock } from "../../core/clock.js";
import type { Logger } from "../../core/logger.js";
import { Pace } from "../../core/pace.js";

/** Lines a second: where one call finds no connection, all others find none either. */
const LINES = { perSecond: 0.1, burst: 1 };

/** Tells the operator that calls fail for what the host of this server lacks, which nobody else can mend. */
export class HostLacks {
  readonly #logger: Logger;
  readonly #pace: Pace;

  constructor(clock: Clock, logger: Logger) {
    this.#logger = logger;
    this.#pace = new Pace(clock, LINES);
  }

  /** `detail`: what it lacks. */
  note(call: string, detail: string): void {
    if (this.#pace.mayTake()) this.#logger.error({ call, detail }, "no connection to a provider");
  }
}
