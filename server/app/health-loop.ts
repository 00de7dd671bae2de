import type { Clock, Timer } from "../core/clock.js";
import type { Logger } from "../core/logger.js";
import type { ProviderKey } from "../core/provider-key.js";
import type { HealthCheck } from "../keys/ports.js";

/** Between two keys, so that a large pool is not checked in one burst. */
const PAUSE_MS = 1_000;
/** How often to look whether the interval was changed. */
const LOOK_EVERY_MS = 60_000;

/** Looks at every provider key now and then: finds dead ones before a call does, and recovered ones. */
export class HealthLoop {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #keys: () => Promise<readonly ProviderKey[]>;
  readonly #check: (key: ProviderKey) => Promise<HealthCheck>;
  readonly #everySeconds: () => number;
  #timer: Timer | undefined;
  #stopped = false;
  /** When the last round ended, on the monotonic clock. */
  #endedMs = 0;
  #running: Promise<void> = Promise.resolve();

  constructor(options: {
    clock: Clock;
    logger: Logger;
    /** Those that are worth a check now. */
    keys: () => Promise<readonly ProviderKey[]>;
    check: (key: ProviderKey) => Promise<HealthCheck>;
    /** The setting; 0 for never. */
    everySeconds: () => number;
  }) {
    this.#clock = options.clock;
    this.#logger = options.logger;
    this.#keys = options.keys;
    this.#check = options.check;
    this.#everySeconds = options.everySeconds;
  }

  /** The first round begins after one interval: a start has better things to do. */
  start(): void {
    this.#endedMs = this.#clock.monotonic();
    this.#waitForRound();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#running;
  }

  #wait(ms: number, then: () => Promise<void>): void {
    if (this.#stopped) return;
    this.#timer = this.#clock.setTimer(() => {
      this.#running = then();
    }, ms);
  }

  #waitForRound(): void {
    const leftMs = this.#leftMs();
    this.#wait(Math.min(leftMs, LOOK_EVERY_MS), async () => {
      if (this.#leftMs() <= 0) await this.#round();
      else this.#waitForRound();
    });
  }

  /** Until the next round, by the interval that is set now; for good without one. */
  #leftMs(): number {
    const seconds = this.#everySeconds();
    if (seconds === 0) return Infinity;
    return this.#endedMs + seconds * 1000 - this.#clock.monotonic();
  }

  async #round(): Promise<void> {
    try {
      this.#next([...(await this.#keys())]);
    } catch (error) {
      this.#logger.warn({ err: error }, "the round of health checks could not begin");
      this.start();
    }
  }

  #next(left: ProviderKey[]): void {
    const key = left.pop();
    if (key === undefined) {
      this.start();
      return;
    }
    this.#wait(PAUSE_MS, async () => {
      try {
        await this.#check(key);
      } catch (error) {
        this.#logger.warn({ err: error, providerKeyId: key.id }, "a key could not be checked");
      }
      this.#next(left);
    });
  }
}
