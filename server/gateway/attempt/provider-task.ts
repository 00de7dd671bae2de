import type { AttemptOutcome } from "../../core/call.js";
import type { Timer } from "../../core/clock.js";
import type { AdmittedCall } from "../admitted-call.js";
import type { AttemptFailure } from "./attempt-failure.js";
import { followUpRequest } from "./provider-request.js";
import { RoundTrip } from "./round-trip.js";

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
  readonly call: AdmittedCall;
  /** Where to ask, as the provider said. */
  readonly path: string;
  /** Another question is on its way. */
  readonly onAsked: (question: RoundTrip) => void;
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
    options.call.book.mayBeBilled = true;
  }

  /** Asks in a while, in the way of the round trip before. */
  askLater(before: RoundTrip): void {
    const { call, onBug } = this.#options;
    const { context } = call;
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
  asksAgain(question: RoundTrip, failure: AttemptFailure): boolean {
    if (failure.ofTask === true) {
      this.#options.call.book.mayBeBilled = false;
      return false;
    }
    if (this.#failures >= FAILURES_MAX || REFUSALS.has(failure.outcome)) return false;
    this.#failures++;
    this.askLater(question);
    return true;
  }

  /** No question follows. */
  leave(): void {
    this.#timer?.cancel();
  }

  #ask(before: RoundTrip): void {
    const { call, path, onAsked, onTooLong } = this.#options;
    const { context, book } = call;
    const { upstream, limits } = context;
    if (book.elapsedMs() > limits.wholeHeadTimeoutMs) {
      book.closeLease(TOO_LONG);
      onTooLong(TOO_LONG);
      return;
    }
    const question = new RoundTrip(before.options);
    onAsked(question);
    const { baseUrl } = before.options.lease.target.provider;
    const request = followUpRequest(before.options, path);
    question.flight = upstream.send(upstream.target(baseUrl), request, question);
  }
}
