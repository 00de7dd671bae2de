import type { Clock, Timer } from "../core/clock.js";
import type { Logger } from "../core/logger.js";
import type { ProviderKey } from "../core/provider-key.js";
import type { HealthCheck } from "../keys/ports.js";

/** Between two keys, so that a large pool is not checked in one burst. */
const PAUSE_MS = 1_000;
/** How often to look whether checks were switched on. */
const IDLE_MS = 60_000;

/** Looks at every provider key now and then: finds dead ones before a call does, and recovered ones. */
export class HealthLoop {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #keys: () => Promise<readonly ProviderKey[]>;
  readonly #check: (key: ProviderKey) => Promise<HealthCheck>;
  readonly #everySeconds: () => number;
  #timer: Timer | undefined;
  #stopped = false;
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
    const seconds = this.#everySeconds();
    this.#wait(seconds === 0 ? IDLE_MS : seconds * 1000, () => this.#round());
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

  async #round(): Promise<void> {
    try {
      if (this.#everySeconds() > 0) this.#next([...(await this.#keys())]);
      else this.start();
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
