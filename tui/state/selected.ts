import { toApiError } from "../api/api-error.js";
import type { StateClock } from "./clock.js";

/** A selection that moves on within this time is not asked for, milliseconds. */
const SETTLE_MS = 150;

export type SelectedStatus =
  | { readonly kind: "none" }
  | { readonly kind: "loading" }
  | { readonly kind: "ready" }
  | { readonly kind: "error"; readonly message: string };

/** More about the selected row than the list tells; fetched once the selection stands still. */
export class Selected<T> {
  readonly #fetch: (id: string, signal: AbortSignal) => Promise<T>;
  readonly #clock: StateClock;
  readonly #onChange: () => void;
  #id: string | undefined;
  #value: T | undefined;
  #status: SelectedStatus = { kind: "none" };
  #timer: { cancel(): void } | undefined;
  #running: AbortController | undefined;

  constructor(options: {
    readonly fetch: (id: string, signal: AbortSignal) => Promise<T>;
    readonly clock: StateClock;
    readonly onChange: () => void;
  }) {
    this.#fetch = options.fetch;
    this.#clock = options.clock;
    this.#onChange = options.onChange;
  }

  /** What is known of the wanted row; undefined while it is fetched. */
  get value(): T | undefined {
    return this.#value;
  }

  get status(): SelectedStatus {
    return this.#status;
  }

  /** Says which row is selected now; the same one again costs nothing. */
  want(id: string | undefined): void {
    if (id === this.#id) return;
    this.#drop();
    this.#id = id;
    if (id === undefined) return;
    this.#status = { kind: "loading" };
    this.#timer = this.#clock.setTimer(() => void this.#load(id), SETTLE_MS);
  }

  /** Fetches the row anew, e.g. after a change; what is shown stays until then. */
  refresh(): void {
    if (this.#id !== undefined) void this.#load(this.#id);
  }

  close(): void {
    this.#drop();
    this.#id = undefined;
  }

  #drop(): void {
    this.#timer?.cancel();
    this.#running?.abort();
    this.#value = undefined;
    this.#status = { kind: "none" };
  }

  async #load(id: string): Promise<void> {
    this.#running?.abort();
    const running = new AbortController();
    this.#running = running;
    try {
      const value = await this.#fetch(id, running.signal);
      if (running.signal.aborted) return;
      this.#value = value;
      this.#status = { kind: "ready" };
    } catch (error) {
      if (running.signal.aborted) return;
      this.#status = { kind: "error", message: toApiError(error).message };
    }
    this.#onChange();
  }
}
