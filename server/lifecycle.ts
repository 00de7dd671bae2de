import type { Clock } from "./core/clock.js";
import type { Logger } from "./core/logger.js";

/** Something that was started and must be stopped. */
export interface Part {
  readonly name: string;
  stop(): Promise<void> | void;
}

/**
 * Remembers what was started and stops it in reverse order, once. A part that fails to stop is logged
 * and does not keep the others from stopping.
 */
export class Lifecycle {
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #parts: Part[] = [];
  #stopping: Promise<boolean> | undefined;

  constructor(options: { logger: Logger; clock: Clock }) {
    this.#logger = options.logger;
    this.#clock = options.clock;
  }

  started(name: string, stop: Part["stop"]): void {
    this.#parts.push({ name, stop });
  }

  get stopping(): boolean {
    return this.#stopping !== undefined;
  }

  /** Resolves to true when every part stopped cleanly. Later calls get the same answer. */
  stop(): Promise<boolean> {
    this.#stopping ??= this.#stopAll();
    return this.#stopping;
  }

  async #stopAll(): Promise<boolean> {
    let clean = true;
    for (let part = this.#parts.pop(); part !== undefined; part = this.#parts.pop()) {
      const began = this.#clock.monotonic();
      try {
        await part.stop();
        const tookMs = Math.round(this.#clock.monotonic() - began);
        this.#logger.debug({ part: part.name, tookMs }, "stopped");
      } catch (error) {
        clean = false;
        this.#logger.error({ part: part.name, err: error }, "failed to stop");
      }
    }
    return clean;
  }
}

/** What the process is told from outside; `process` satisfies it. */
export interface SignalSource {
  on(event: NodeJS.Signals | "uncaughtException", listener: (cause: unknown) => void): unknown;
}

/**
 * The first SIGTERM or SIGINT drains and stops, a second exits at once. An exception that nobody caught
 * is logged and stops the process too: a state nobody foresaw is not worth serving from.
 */
export function stopOnSignals(options: {
  lifecycle: Lifecycle;
  logger: Logger;
  signals: SignalSource;
  exit: (code: number) => void;
}): void {
  const { lifecycle, logger, signals, exit } = options;
  const stopFor = (why: string, code: number): void => {
    if (lifecycle.stopping) {
      logger.warn({ why }, "second signal: exit without waiting");
      exit(1);
      return;
    }
    logger.info({ why }, "stopping: no new calls, running calls may finish");
    void lifecycle.stop().then((clean) => exit(clean ? code : 1));
  };
  signals.on("SIGTERM", () => stopFor("SIGTERM", 0));
  signals.on("SIGINT", () => stopFor("SIGINT", 0));
  signals.on("uncaughtException", (cause) => {
    logger.error({ err: cause }, "unexpected failure");
    stopFor("unexpected failure", 1);
  });
}
