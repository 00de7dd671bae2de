import type { AttemptFailure } from "./attempt.js";
import type { GatewayLimits } from "./limits.js";

const NONE: ReadonlySet<string> = new Set();

/** What a call has tried so far, and whether it may try more. */
export class Failover {
  readonly #limits: GatewayLimits;
  #tried: ReadonlySet<string> = NONE;
  #count = 0;
  #providerFailures = 0;
  #failure: AttemptFailure | undefined;

  constructor(limits: GatewayLimits) {
    this.#limits = limits;
  }

  /** Ids of the provider keys that failed. */
  get tried(): ReadonlySet<string> {
    return this.#tried;
  }

  /** The failure that the caller is told if no further attempt succeeds; undefined before the first. */
  get failure(): AttemptFailure | undefined {
    return this.#failure;
  }

  begin(): void {
    this.#count++;
  }

  /** Trouble with a key says less than a provider's own answer, so it never hides one. */
  failed(providerKeyId: string, failure: AttemptFailure): void {
    this.#tried = new Set([...this.#tried, providerKeyId]);
    const ofKey = failure.outcome === "KEY_REFUSED" || failure.outcome === "QUOTA_EXHAUSTED";
    if (!ofKey || this.#failure === undefined) this.#failure = failure;
    if (mayHaveWorked(failure)) this.#providerFailures++;
  }

  /**
   * False when what was spent on this call is enough. Refusals that cost nothing are bounded by the keys
   * there are; tries on which a provider may have worked are few.
   */
  mayGoOn(elapsedMs: number): boolean {
    return (
      this.#count < this.#limits.attemptsMax &&
      this.#providerFailures < this.#limits.providerFailuresMax &&
      elapsedMs <= this.#limits.failoverDeadlineMs
    );
  }
}

function mayHaveWorked(failure: AttemptFailure): boolean {
  return ["PROVIDER_ERROR", "TIMEOUT", "CUT"].includes(failure.outcome);
}
