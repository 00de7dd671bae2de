import type { Actor } from "../core/audit.js";
import type { Clock } from "../core/clock.js";
import type { Logger } from "../core/logger.js";
import { Pace, type PaceLimits } from "../core/pace.js";

/** Refusals that are told one by one; strangers make as many as they like, and each is a line. */
const TOLD: PaceLimits = { perSecond: 1, burst: 20 };

/** Tells of requests without a good credential; of a flood of them how many there were. */
export class RefusalLog {
  readonly #logger: Logger;
  readonly #pace: Pace;
  #untold = 0;

  constructor(clock: Clock, logger: Logger) {
    this.#logger = logger;
    this.#pace = new Pace(clock, TOLD);
  }

  denied({ ip }: Actor, rpc: string, reason: string): void {
    if (!this.#pace.mayTake()) {
      this.#untold++;
      return;
    }
    const untold = this.#untold === 0 ? {} : { untold: this.#untold };
    this.#untold = 0;
    this.#logger.info({ ip, rpc, reason, ...untold }, "rpc refused");
  }
}
