import type { Clock, Timer } from "../core/clock.js";
import { DAY_MS, HOUR_MS } from "../core/durations.js";
import type { Logger } from "../core/logger.js";
import type { LedgerStore } from "./ports.js";

/** Time between two rounds. */
const ROUND_INTERVAL_MS = HOUR_MS;
/** The first round waits until the start is over. */
const FIRST_ROUND_MS = 60_000;
/** Pause between two steps, in which calls are recorded. */
const STEP_PAUSE_MS = 20;
/** Calls deleted in one step; few enough that the writer is free again within 50 ms. */
const PRUNE_BATCH_CALLS = 1000;

/** Work that is done bit by bit. */
export interface Chore {
  readonly name: string;
  /** Does a piece; returns how much that was, 0 when nothing is left. */
  readonly step: () => Promise<number>;
}

/** Deletes calls that are older than the retention; their sums stay in the roll-ups. */
export function pruneCallsChore(options: {
  readonly ledger: Pick<LedgerStore, "pruneCalls">;
  readonly clock: Pick<Clock, "now">;
  /** Asked for at each step, so that a changed setting holds at once. */
  readonly keepDays: () => number;
}): Chore {
  const { ledger, clock, keepDays } = options;
  return {
    name: "old calls",
    step: () => ledger.pruneCalls(clock.now() - keepDays() * DAY_MS, PRUNE_BATCH_CALLS),
  };
}

/** Does its chores once an hour, a step at a time, so that nothing else waits long for the database. */
export class Housekeeping {
  readonly #chores: readonly Chore[];
  readonly #clock: Clock;
  readonly #logger: Logger;
  #timer: Timer | undefined;
  #round: Promise<void> | undefined;
  #stopped = false;
  #wake: (() => void) | undefined;

  constructor(options: {
    readonly chores: readonly Chore[];
    readonly clock: Clock;
    readonly logger: Logger;
  }) {
    this.#chores = options.chores;
    this.#clock = options.clock;
    this.#logger = options.logger;
  }

  start(): void {
    this.#schedule(FIRST_ROUND_MS);
  }

  /** Returns when the step at hand is done. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#wake?.();
    await this.#round;
  }

  #schedule(delayMs: number): void {
    if (this.#stopped) return;
    this.#timer = this.#clock.setTimer(() => {
      this.#round = this.#doAll().finally(() => this.#schedule(ROUND_INTERVAL_MS));
    }, delayMs);
  }

  async #doAll(): Promise<void> {
    for (const chore of this.#chores) await this.#do(chore);
  }

  /** A chore that fails is tried again in the next round; the others are done all the same. */
  async #do(chore: Chore): Promise<void> {
    let total = 0;
    try {
      for (;;) {
        if (this.#stopped) return;
        const done = await chore.step();
        total += done;
        if (done === 0) break;
        await this.#pause();
      }
    } catch (error) {
      if (this.#stopped) return;
      this.#logger.warn(
        { err: error, chore: chore.name },
        "housekeeping failed; trying again later",
      );
    }
    if (total > 0) this.#logger.info({ chore: chore.name, count: total }, "housekeeping done");
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#clock.setTimer(resolve, STEP_PAUSE_MS);
      this.#wake = () => {
        timer.cancel();
        resolve();
      };
    });
  }
}
