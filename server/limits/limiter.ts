import type { ClientKeyLimits, Principal } from "../core/client-key.js";
import { UNLIMITED } from "../core/client-key.js";
import type { Clock } from "../core/clock.js";
import { periodStart } from "../core/period.js";
import type { Period } from "../core/provider-key.js";
import type { BudgetAccount, Spending } from "./budget-account.js";
import { HeaderWriter } from "./headers.js";
import type { LimitState } from "./headers.js";
import { LimitSubject } from "./limit-subject.js";
import type { Estimate, Hold, Moment } from "./limit-subject.js";

/** Subjects that an admission looks at to see whether they can be forgotten. */
const SWEPT_PER_ADMISSION = 2;

export interface LimiterOptions {
  readonly clock: Clock;
  /** Limits of all client keys of a user together; null for none. */
  readonly ownerLimits?: (ownerId: string) => ClientKeyLimits | null;
  /** Limits that hold where a client key sets none of its own, e.g. an operator's general rate limit. */
  readonly defaults?: () => ClientKeyLimits;
  /**
   * What a client key has spent since a time (milliseconds since the epoch), from the roll-ups: asked when a
   * budget is set on a key that has none in memory. Until the answer comes the key starts from zero.
   */
  readonly loadSpent?: (clientKeyId: string, fromMs: number) => Promise<Spending>;
  /** Hears that `loadSpent` failed. */
  readonly onLoadFailed?: (clientKeyId: string, cause: unknown) => void;
}

/** An admitted call's hold on its limits. */
export interface Ticket {
  /** Gives back what was reserved and books what was used. Only the first call counts. */
  settle(used: { tokens: number; costMicros: number }): void;
  /** Response headers such as `x-ratelimit-remaining-requests`, ready to send; names and values in turn. */
  readonly headers: readonly string[];
}

/** What the ledger knows of one client key in a running period. */
export interface SpentRow extends Spending {
  readonly clientKeyId: string;
}

const NO_TICKET: Ticket = { settle: () => {}, headers: [] };

/**
 * Rate, concurrency and budget limits of client keys and their owners, exact within one process. Admitting
 * never waits and never does I/O. What a key's limits are is read from the key itself at each admission,
 * so a change holds for the next call.
 */
export class Limiter {
  readonly #options: LimiterOptions;
  readonly #subjects = new Map<string, LimitSubject>();
  readonly #headers = new HeaderWriter();
  #sweep: IterableIterator<[string, LimitSubject]> | null = null;

  constructor(options: LimiterOptions) {
    this.#options = options;
  }

  /** Subjects in memory; one that is idle and owes nothing is forgotten. */
  get size(): number {
    return this.#subjects.size;
  }

  /**
   * Reserves the worst case of a call in all limits, or in none.
   * Throws Fault `budget_exceeded` or `rate_limit_exceeded`, both with the time after which to try again.
   */
  admit(principal: Principal, estimate: Estimate): Ticket {
    const keyLimits = this.#limitsOf(principal);
    const ownerLimits = this.#options.ownerLimits?.(principal.ownerId) ?? UNLIMITED;
    const now = this.#now();
    this.#forgetIdle(now);
    const limited: { subject: LimitSubject; limits: ClientKeyLimits }[] = [];
    if (isLimited(keyLimits)) {
      limited.push({ subject: this.#keySubject(principal, keyLimits, now), limits: keyLimits });
    }
    if (isLimited(ownerLimits)) {
      const subject = this.#subject(`o ${principal.ownerId}`, "user");
      limited.push({ subject, limits: ownerLimits });
    }
    if (limited.length === 0) return NO_TICKET;
    for (const { subject, limits } of limited) subject.check(limits, estimate, now);
    const holds = limited.map(({ subject, limits }) => subject.hold(limits, estimate, now));
    return this.#ticket(holds, limited, now);
  }

  /**
   * Takes in what the ledger knows of a running period. Call it at the start, before calls are admitted,
   * with the rows of client keys that have a budget of this period.
   */
  restore(period: Period, rows: readonly SpentRow[]): void {
    const { wallMs } = this.#now();
    const startMs = periodStart(period, wallMs);
    for (const row of rows) {
      const budget = { period, costMicros: null, tokens: null };
      const subject = this.#subject(`k ${row.clientKeyId}`, "client key");
      subject.account(budget, wallMs).restore(row, startMs);
    }
  }

  /** What a client key has spent and set aside in its budget's running period; null if nothing is kept. */
  spending(principal: Principal): { readonly spent: Spending; readonly reserved: Spending } | null {
    const { budget } = this.#limitsOf(principal);
    const subject = this.#subjects.get(`k ${principal.clientKey.id}`);
    if (budget === null || subject === undefined) return null;
    const { wallMs } = this.#now();
    return subject.account(budget, wallMs).state(wallMs);
  }

  /** Forgets a deleted client key. */
  forget(clientKeyId: string): void {
    this.#subjects.delete(`k ${clientKeyId}`);
  }

  #limitsOf(principal: Principal): ClientKeyLimits {
    const own = principal.clientKey.limits;
    const defaults = this.#options.defaults?.();
    if (defaults === undefined) return own;
    return {
      requestsPerMinute: own.requestsPerMinute ?? defaults.requestsPerMinute,
      tokensPerMinute: own.tokensPerMinute ?? defaults.tokensPerMinute,
      concurrency: own.concurrency ?? defaults.concurrency,
      budget: own.budget ?? defaults.budget,
    };
  }

  #keySubject(principal: Principal, limits: ClientKeyLimits, now: Moment): LimitSubject {
    const subject = this.#subject(`k ${principal.clientKey.id}`, "client key");
    if (limits.budget !== null) {
      subject.account(limits.budget, now.wallMs, (account) => {
        this.#fill(account, principal.clientKey.id);
      });
    }
    return subject;
  }

  /** Adds what was spent before the account was opened, once the ledger has answered. */
  #fill(account: BudgetAccount, clientKeyId: string): void {
    const { loadSpent, onLoadFailed } = this.#options;
    if (loadSpent === undefined) return;
    const { startMs } = account;
    loadSpent(clientKeyId, startMs).then(
      (spent) => account.restore(spent, startMs),
      (cause: unknown) => onLoadFailed?.(clientKeyId, cause),
    );
  }

  #subject(id: string, kind: LimitSubject["kind"]): LimitSubject {
    const known = this.#subjects.get(id);
    if (known !== undefined) return known;
    const made = new LimitSubject(kind);
    this.#subjects.set(id, made);
    return made;
  }

  #ticket(
    holds: readonly Hold[],
    limited: readonly { subject: LimitSubject; limits: ClientKeyLimits }[],
    now: Moment,
  ): Ticket {
    // The tightest of several subjects is what a client should pace itself by.
    const states = limited.map(({ subject, limits }) => subject.states(limits, now));
    const requests = tightest(states.map((each) => each.requests));
    const tokens = tightest(states.map((each) => each.tokens));
    let isOpen = true;
    return {
      headers: this.#headers.write({ requests, tokens }, now.wallMs),
      settle: (used) => {
        if (!isOpen) return;
        isOpen = false;
        const atEnd = this.#now();
        for (const hold of holds) hold.subject.settle(hold, used, atEnd);
      },
    };
  }

  /** Looks at a few subjects with each admission, so that forgetting needs no timer and never takes long. */
  #forgetIdle(now: Moment): void {
    for (let i = 0; i < SWEPT_PER_ADMISSION; i++) {
      this.#sweep ??= this.#subjects.entries();
      const next = this.#sweep.next();
      if (next.done === true) {
        this.#sweep = null;
        return;
      }
      const [id, subject] = next.value;
      if (subject.isIdle(now)) this.#subjects.delete(id);
    }
  }

  #now(): Moment {
    return { wallMs: this.#options.clock.now(), monotonicMs: this.#options.clock.monotonic() };
  }
}

function isLimited(limits: ClientKeyLimits): boolean {
  return (
    limits.requestsPerMinute !== null ||
    limits.tokensPerMinute !== null ||
    limits.concurrency !== null ||
    limits.budget !== null
  );
}

function tightest(states: readonly (LimitState | null)[]): LimitState | null {
  let found: LimitState | null = null;
  for (const state of states) {
    if (state === null) continue;
    if (found === null || state.remaining < found.remaining) found = state;
  }
  return found;
}
