import type { AttemptFailure } from "./attempt.js";
import type { GatewayLimits } from "./limits.js";

/** What a call has tried so far, and whether it may try more. */
export class Failover {
  readonly #limits: GatewayLimits;
  readonly #tried = new Set<string>();
  #providerFailures = 0;
  #failure: AttemptFailure | undefined;

  constructor(limits: GatewayLimits) {
    this.#limits = limits;
  }

  /** Ids of the provider keys tried. */
  get tried(): ReadonlySet<string> {
    return this.#tried;
  }

  /** The failure that the caller is told if no further attempt succeeds; undefined before the first. */
  get failure(): AttemptFailure | undefined {
    return this.#failure;
  }

  begin(providerKeyId: string): void {
    this.#tried.add(providerKeyId);
  }

  /** Trouble with a key says less than a provider's own answer, so it never hides one. */
  failed(failure: AttemptFailure): void {
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
      this.#tried.size < this.#limits.attemptsMax &&
      this.#providerFailures < this.#limits.providerFailuresMax &&
      elapsedMs <= this.#limits.failoverDeadlineMs
    );
  }
}

function mayHaveWorked(failure: AttemptFailure): boolean {
  return ["PROVIDER_ERROR", "TIMEOUT", "CUT"].includes(failure.outcome);
}
