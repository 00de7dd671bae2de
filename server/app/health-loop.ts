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
  readonly #keyIds: () => readonly string[];
  readonly #keyNow: (id: string) => ProviderKey | undefined;
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
    /** All that there are. */
    keyIds: () => readonly string[];
    /** A key as it is now; undefined when it is not worth a check. A round takes its time, in which keys are changed. */
    keyNow: (id: string) => ProviderKey | undefined;
    check: (key: ProviderKey) => Promise<HealthCheck>;
    /** The setting; 0 for never. */
    everySeconds: () => number;
  }) {
    this.#clock = options.clock;
    this.#logger = options.logger;
    this.#keyIds = options.keyIds;
    this.#keyNow = options.keyNow;
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

  #wait(ms: number, then: () => void): void {
    if (!this.#stopped) this.#timer = this.#clock.setTimer(then, ms);
  }

  #waitForRound(): void {
    const leftMs = this.#leftMs();
    this.#wait(Math.min(leftMs, LOOK_EVERY_MS), () => {
      if (this.#leftMs() <= 0) this.#round();
      else this.#waitForRound();
    });
  }

  /** Until the next round, by the interval that is set now; for good without one. */
  #leftMs(): number {
    const seconds = this.#everySeconds();
    if (seconds === 0) return Infinity;
    return this.#endedMs + seconds * 1000 - this.#clock.monotonic();
  }

  #round(): void {
    this.#next(this.#keyIds().filter((id) => this.#keyNow(id) !== undefined));
  }

  #next(left: string[]): void {
    const id = left.pop();
    if (id === undefined) {
      this.start();
      return;
    }
    this.#wait(PAUSE_MS, () => {
      this.#running = this.#look(id).then(() => {
        this.#next(left);
      });
    });
  }

  async #look(id: string): Promise<void> {
    const key = this.#keyNow(id);
    if (key === undefined) return;
    try {
      await this.#check(key);
    } catch (error) {
      this.#logger.warn({ err: error, providerKeyId: id }, "a key could not be checked");
    }
  }
}
