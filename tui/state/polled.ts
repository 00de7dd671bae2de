import { toApiError, type ApiError } from "../api/api-error.js";
import type { StateClock } from "./clock.js";

export interface PolledOptions<T> {
  readonly fetch: (signal: AbortSignal) => Promise<T>;
  readonly clock: StateClock;
  readonly onChange: () => void;
  /** Milliseconds between two answers. */
  readonly refreshMs: number;
  /** While true nothing is fetched but what a person asks for. */
  readonly paused: () => boolean;
}

/** One answer of the server that is asked for again and again while it is shown. */
export class Polled<T> {
  readonly #options: PolledOptions<T>;
  #value: T | undefined;
  #error: ApiError | undefined;
  #running: AbortController | undefined;
  #timer: { cancel(): void } | undefined;
  #active = false;

  constructor(options: PolledOptions<T>) {
    this.#options = options;
  }

  /** The last good answer; it stays when a later one fails. */
  get value(): T | undefined {
    return this.#value;
  }

  /** Why the last one failed; undefined when it did not. */
  get error(): ApiError | undefined {
    return this.#error;
  }

  open(): void {
    this.#active = true;
    this.refresh();
  }

  close(): void {
    this.#active = false;
    this.#timer?.cancel();
    this.#running?.abort();
  }

  /** Drops the answer: another question is asked from now on. */
  reset(): void {
    this.#value = undefined;
    this.#error = undefined;
    if (this.#active) this.refresh();
  }

  refresh(): void {
    void this.#load();
  }

  async #load(): Promise<void> {
    this.#timer?.cancel();
    this.#running?.abort();
    const running = new AbortController();
    this.#running = running;
    try {
      const value = await this.#options.fetch(running.signal);
      if (running.signal.aborted) return;
      this.#value = value;
      this.#error = undefined;
    } catch (thrown) {
      if (running.signal.aborted) return;
      this.#error = toApiError(thrown);
    }
    this.#options.onChange();
    this.#schedule();
  }

  #schedule(): void {
    if (!this.#active) return;
    this.#timer = this.#options.clock.setTimer(() => {
      if (this.#options.paused()) this.#schedule();
      else this.refresh();
    }, this.#options.refreshMs);
  }
}
