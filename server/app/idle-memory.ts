import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { Clock, Timer } from "../core/clock.js";

/** How often it is looked whether the process is idle. */
const LOOK_INTERVAL_MS = 10_000;
/** Less CPU than this between two looks is idling, what a few watchers cost included. */
const IDLE_CPU_MICROS_MAX = 300_000;

export interface IdleMemoryOptions {
  readonly clock: Clock;
  /** CPU time of the process so far, in microseconds. */
  readonly cpuMicros: () => number;
  /** Collects all garbage at once. */
  readonly collect: () => void;
}

/**
 * Gives back to the system what a start or a busy time has left behind. V8 keeps the room in which new objects
 * are made as large as it ever was while work goes on, and an idle process allocates too little for it to look
 * again. Collects once, when the process has become idle: then the tens of milliseconds are nobody's.
 */
export class IdleMemory {
  readonly #options: IdleMemoryOptions;
  #timer: Timer | undefined;
  #lastCpuMicros = 0;
  /** Something was done since the last collection. */
  #wasBusy = true;

  constructor(options: IdleMemoryOptions) {
    this.#options = options;
  }

  start(): void {
    this.#lastCpuMicros = this.#options.cpuMicros();
    this.#wait();
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #wait(): void {
    this.#timer = this.#options.clock.setTimer(() => {
      this.#look();
      this.#wait();
    }, LOOK_INTERVAL_MS);
  }

  #look(): void {
    const { cpuMicros, collect } = this.#options;
    const used = cpuMicros() - this.#lastCpuMicros;
    if (used > IDLE_CPU_MICROS_MAX) {
      this.#wasBusy = true;
    } else if (this.#wasBusy) {
      this.#wasBusy = false;
      collect();
    }
    // Read anew, for the collection itself is no work.
    this.#lastCpuMicros = cpuMicros();
  }
}

/** Starts it for this process; answers how to stop it. */
export function startIdleMemory(clock: Clock): () => void {
  setFlagsFromString("--expose-gc");
  const collect: unknown = runInNewContext("gc");
  const memory = new IdleMemory({
    clock,
    cpuMicros: () => {
      const { user, system } = process.cpuUsage();
      return user + system;
    },
    collect: () => {
      if (typeof collect === "function") collect();
    },
  });
  memory.start();
  return () => {
    memory.stop();
  };
}
