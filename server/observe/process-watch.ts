import { readdir } from "node:fs/promises";
import { monitorEventLoopDelay } from "node:perf_hooks";
import type { Clock, Timer } from "../core/clock.js";
import type { Logger } from "../core/logger.js";
import type { ProcessReading } from "./server-metrics.js";

/** Figures are those of the last span of this length. */
const SPAN_MS = 10_000;
/**
 * How finely delays are sampled; delays are counted on top of it. Each sample wakes the process, which at 10 ms was all
 * that it did at rest, and took it one per cent of a processor.
 */
const RESOLUTION_MS = 50;
/** A stall that is worth a line in the log. */
const STALL_MS = 200;
const NANOS_PER_MS = 1e6;

/** Delays between samples, in nanoseconds; `monitorEventLoopDelay` gives one. */
export interface DelayHistogram {
  enable(): unknown;
  disable(): unknown;
  reset(): void;
  percentile(percentile: number): number;
  readonly max: number;
}

export interface ProcessWatchOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Default: that of the running process. */
  readonly delays?: DelayHistogram;
  /** Bytes; throws when no file can be opened to read them from. Default: those of the running process. */
  readonly memory?: () => Memory;
}

type Memory = Pick<NodeJS.MemoryUsage, "rss" | "heapUsed">;

interface Span {
  readonly loopDelayP50Ms: number;
  readonly loopDelayP99Ms: number;
  readonly loopDelayMaxMs: number;
  readonly cpuCores: number;
  readonly openFiles: number;
}

/** Watches this process: how late the event loop runs, what processor time and memory it uses. */
export class ProcessWatch {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #delays: DelayHistogram;
  readonly #memoryNow: () => Memory;
  /** As last read. */
  #memory: Memory = { rss: 0, heapUsed: 0 };
  readonly #startedAtMs: number;
  #timer: Timer | undefined;
  #spanBeganMs = 0;
  #cpuMicros = 0;
  #span: Span = {
    loopDelayP50Ms: 0,
    loopDelayP99Ms: 0,
    loopDelayMaxMs: 0,
    cpuCores: 0,
    openFiles: 0,
  };

  constructor(options: ProcessWatchOptions) {
    this.#clock = options.clock;
    this.#logger = options.logger;
    this.#delays = options.delays ?? monitorEventLoopDelay({ resolution: RESOLUTION_MS });
    this.#memoryNow = options.memory ?? (() => process.memoryUsage());
    this.#startedAtMs = options.clock.now();
  }

  start(): void {
    this.#delays.enable();
    this.#begin();
  }

  stop(): void {
    this.#timer?.cancel();
    this.#delays.disable();
  }

  /** Memory is that of now; delays, processor share and files are of the last whole span of ten seconds. */
  read(): ProcessReading & { readonly cpuCores: number } {
    const { rss, heapUsed } = this.#readMemory();
    return {
      ...this.#span,
      rssBytes: rss,
      heapUsedBytes: heapUsed,
      cpuSecondsTotal: cpuMicros() / 1e6,
      startedAtMs: this.#startedAtMs,
    };
  }

  /** Without a file descriptor left the last figures have to do: then above all an operator wants to see the status. */
  #readMemory(): Memory {
    try {
      this.#memory = this.#memoryNow();
    } catch {
      // It is said by the calls that fail.
    }
    return this.#memory;
  }

  #begin(): void {
    this.#spanBeganMs = this.#clock.monotonic();
    this.#cpuMicros = cpuMicros();
    this.#delays.reset();
    this.#timer = this.#clock.setTimer(() => void this.#end(), SPAN_MS);
  }

  async #end(): Promise<void> {
    const seconds = (this.#clock.monotonic() - this.#spanBeganMs) / 1000;
    const span = {
      loopDelayP50Ms: delayMs(this.#delays.percentile(50)),
      loopDelayP99Ms: delayMs(this.#delays.percentile(99)),
      loopDelayMaxMs: delayMs(this.#delays.max),
      cpuCores: (cpuMicros() - this.#cpuMicros) / 1e6 / seconds,
    };
    this.#span = { ...span, openFiles: this.#span.openFiles };
    if (span.loopDelayMaxMs > STALL_MS) {
      this.#logger.warn(
        {
          loopDelayMaxMs: Math.round(span.loopDelayMaxMs),
          // Where that is little, the host had no time for this process.
          cpuCores: Math.round(span.cpuCores * 100) / 100,
        },
        "the event loop stood still; calls waited",
      );
    }
    this.#begin();
    this.#span = { ...span, openFiles: await countOpenFiles(this.#span.openFiles) };
  }
}

/** A sample is the time between two wake-ups, of which the resolution is no delay. */
function delayMs(nanos: number): number {
  return Math.max(0, nanos / NANOS_PER_MS - RESOLUTION_MS) || 0;
}

function cpuMicros(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

/** Only Linux tells; elsewhere, and where none is left to look with, it is what was `known`. */
async function countOpenFiles(known: number): Promise<number> {
  try {
    return (await readdir("/proc/self/fd")).length;
  } catch {
    return known;
  }
}
