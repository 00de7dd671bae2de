import { ApiError, toApiError } from "../api/api-error.js";
import type { StateClock } from "./clock.js";

/** How a stream that must not end is doing. */
export type LinkState =
  | { readonly kind: "connecting" }
  | { readonly kind: "live" }
  /** The last message is older than it should be. */
  | { readonly kind: "stale"; readonly sinceMs: number }
  | {
      readonly kind: "lost";
      readonly sinceMs: number;
      readonly attempt: number;
      /** Monotonic milliseconds of the next attempt. */
      readonly retryAtMs: number;
      readonly error: ApiError;
    }
  /** The server refused: trying again would not help. */
  | { readonly kind: "refused"; readonly error: ApiError };

/** Waits between attempts; the last one repeats. */
const BACKOFF_MS = [500, 1000, 2000, 4000, 8000, 15_000] as const;

export interface FollowOptions<T> {
  readonly open: (signal: AbortSignal) => AsyncIterable<T>;
  readonly onMessage: (message: T) => void;
  readonly onLink: (state: LinkState) => void;
  /** Silence longer than this makes the data stale, milliseconds. */
  readonly staleAfterMs: () => number;
  readonly clock: StateClock;
  /** 0 to 1, spreads reconnects of many dashboards. */
  readonly jitter: () => number;
}

/** Keeps a server stream open: reconnects with growing waits, and tells when data get old. */
export class Follower<T> {
  readonly #options: FollowOptions<T>;
  #abort: AbortController | undefined;
  #retry: { cancel(): void } | undefined;
  #stale: { cancel(): void } | undefined;
  #failures = 0;
  #lastMessageMs = 0;
  #stopped = true;

  constructor(options: FollowOptions<T>) {
    this.#options = options;
  }

  start(): void {
    if (!this.#stopped) return;
    this.#stopped = false;
    this.#lastMessageMs = this.#options.clock.monotonic();
    this.#options.onLink({ kind: "connecting" });
    this.#connect();
  }

  stop(): void {
    this.#stopped = true;
    this.#retry?.cancel();
    this.#stale?.cancel();
    this.#abort?.abort();
  }

  /** Ends the stream and opens it anew at once, e.g. with other parameters or because a person asks. */
  restart(): void {
    this.stop();
    this.#failures = 0;
    this.start();
  }

  #connect(): void {
    const abort = new AbortController();
    this.#abort = abort;
    void this.#run(abort.signal).then((error) => {
      if (!abort.signal.aborted) this.#failed(error);
    });
  }

  /** Reads until the stream ends; answers why it did. */
  async #run(signal: AbortSignal): Promise<ApiError> {
    try {
      for await (const message of this.#options.open(signal)) {
        if (signal.aborted) break;
        this.#failures = 0;
        this.#lastMessageMs = this.#options.clock.monotonic();
        this.#options.onLink({ kind: "live" });
        this.#watchSilence();
        this.#options.onMessage(message);
      }
      return new ApiError("UNAVAILABLE", "the server ended the stream");
    } catch (error) {
      return toApiError(error);
    }
  }

  #failed(error: ApiError): void {
    this.#stale?.cancel();
    if (isFinal(error)) {
      this.#options.onLink({ kind: "refused", error });
      return;
    }
    const wait = BACKOFF_MS[Math.min(this.#failures, BACKOFF_MS.length - 1)] ?? 0;
    const waitMs = wait * (1 + this.#options.jitter() / 4);
    this.#failures += 1;
    this.#options.onLink({
      kind: "lost",
      sinceMs: this.#lastMessageMs,
      attempt: this.#failures,
      retryAtMs: this.#options.clock.monotonic() + waitMs,
      error,
    });
    this.#retry = this.#options.clock.setTimer(() => this.#connect(), waitMs);
  }

  #watchSilence(): void {
    this.#stale?.cancel();
    const sinceMs = this.#lastMessageMs;
    this.#stale = this.#options.clock.setTimer(() => {
      this.#options.onLink({ kind: "stale", sinceMs });
    }, this.#options.staleAfterMs());
  }
}

function isFinal(error: ApiError): boolean {
  return ["UNAUTHENTICATED", "PERMISSION_DENIED", "UNIMPLEMENTED", "INVALID_ARGUMENT"].includes(
    error.code,
  );
}
