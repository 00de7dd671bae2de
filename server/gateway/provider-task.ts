import type { AttemptOutcome } from "../core/call.js";
import type { Timer } from "../core/clock.js";
import { Attempt } from "./attempt.js";
import type { AttemptFailure } from "./attempt-failure.js";
import { followUpRequest } from "./attempt-request.js";
import type { CallBook } from "./call-book.js";
import type { GatewayContext } from "./context.js";

/** Questions about one task that may fail in a row. */
const FAILURES_MAX = 5;
/** What asking once more does not change. */
const REFUSALS: ReadonlySet<AttemptOutcome> = new Set([
  "REQUEST_REFUSED",
  "RIGHT_REFUSED",
  "KEY_REFUSED",
]);

const TOO_LONG: AttemptFailure = {
  outcome: "TIMEOUT",
  elsewhere: false,
  httpStatus: null,
  retryAfterMs: null,
  detail: "the provider's task took too long",
  kind: "TIMEOUT",
  reply: undefined,
};

export interface ProviderTaskOptions {
  readonly context: GatewayContext;
  readonly book: CallBook;
  /** Where to ask, as the provider said. */
  readonly path: string;
  /** Another question is on its way. */
  readonly onAsked: (attempt: Attempt) => void;
  /** The lease has ended with it. */
  readonly onTooLong: (failure: AttemptFailure) => void;
  readonly onBug: (thrown: unknown) => void;
}

/**
 * What a provider has begun for a call. A task takes its time: each question what became of it comes after a
 * pause, and is a request of its own on the same lease.
 */
export class ProviderTask {
  readonly #options: ProviderTaskOptions;
  #failures = 0;
  #timer: Timer | undefined;

  constructor(options: ProviderTaskOptions) {
    this.#options = options;
    options.book.mayBeBilled = true;
  }

  /** Asks in a while, in the way of the attempt before. */
  askLater(before: Attempt): void {
    const { context, onBug } = this.#options;
    this.#timer = context.clock.setTimer(() => {
      try {
        this.#ask(before);
      } catch (thrown) {
        onBug(thrown);
      }
    }, context.limits.taskPauseMs);
  }

  /**
   * Asks once more after a question that failed, for the task goes on and has cost money; false when that is
   * pointless.
   */
  asksAgain(attempt: Attempt, failure: AttemptFailure): boolean {
    if (attempt.taskFailed) this.#options.book.mayBeBilled = false;
    if (attempt.taskFailed || this.#failures >= FAILURES_MAX) return false;
    if (REFUSALS.has(failure.outcome)) return false;
    this.#failures++;
    this.askLater(attempt);
    return true;
  }

  /** No question follows. */
  leave(): void {
    this.#timer?.cancel();
  }

  #ask(before: Attempt): void {
    const { context, book, path, onAsked, onTooLong } = this.#options;
    const { upstream, paths, limits } = context;
    const { lease, secret, holder } = before.options;
    const { target } = lease;
    if (book.elapsedMs() > limits.wholeHeadTimeoutMs) {
      book.closeLease(TOO_LONG);
      onTooLong(TOO_LONG);
      return;
    }
    const attempt = new Attempt(before.options);
    onAsked(attempt);
    const request = followUpRequest(path, { target, secret, paths, limits, holder });
    attempt.flight = upstream.send(upstream.target(target.provider.baseUrl), request, attempt);
  }
}
