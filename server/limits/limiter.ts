import { assert } from "../core/assert.js";
import type { Estimate, Used } from "../core/call.js";
import type { Principal } from "../core/client-key.js";
import type { Clock } from "../core/clock.js";
import { Fault } from "../core/fault.js";
import { isUnlimited, UNLIMITED, type Budget, type Limits } from "../core/limits.js";
import { type Period, periodEnd, periodStart } from "../core/period.js";
import type { Dialect } from "../core/provider.js";
import type { BudgetAccount } from "./budget-account.js";
import { BudgetFills, type BudgetFillsOptions, type EndedCall } from "./budget-fills.js";
import { HeaderWriter, type LimitState } from "./headers.js";
import {
  type Hold,
  LimitSubject,
  longer,
  type Moment,
  type Refusal,
  type SubjectId,
  type SubjectKind,
} from "./limit-subject.js";

/** Each time after so many admissions, some subjects are looked at to see whether they can be forgotten. */
const SWEEP_EVERY = 32;
/** How many subjects are looked at each time. */
const SWEPT_AT_ONCE = 64;

export interface LimiterOptions extends BudgetFillsOptions {
  readonly clock: Clock;
  /** Limits of all client keys of a user together; null for none. */
  readonly ownerLimits?: (ownerId: string) => Limits | null;
  /** Limits of all client keys together. */
  readonly serverLimits?: () => Limits;
  /** How many calls of a subject have been admitted and have not ended; by default none. Asked when a limit is set. */
  readonly underWay?: (subject: SubjectId) => number;
}

/** An admitted call's hold on its limits. */
export interface Ticket {
  /**
   * Gives back what was reserved and books what was used. Only the first call counts. `call`: as it goes on record
   * right afterwards; undefined for one that does not.
   */
  settle(used: Used, call?: EndedCall): void;
  /** Response header lines such as `x-ratelimit-remaining-requests`, each with its CR LF; empty for none. */
  readonly headers: string;
}

/** What the ledger knows of one client key or user in a running period. */
export interface SpentRow extends Used {
  readonly id: string;
}

/** How far a budget is used in its running period; what running calls have set aside counts as used. */
export interface BudgetUse extends Used {
  readonly budget: Budget;
  /** When the next period begins, milliseconds since the epoch. */
  readonly resetsAt: number;
}

/** The whole server as a subject. */
export const SERVER: SubjectId = { kind: "server", id: "server" };
const NOTHING: Used = { tokens: 0, costMicros: 0 };
const NO_HOLDS: readonly Hold[] = [];

/** A subject that a call counts for, and its limits. */
interface Limited {
  readonly subject: LimitSubject;
  readonly limits: Limits;
}

/**
 * Rate, concurrency and budget limits of client keys, their owners and the whole server, exact within one process.
 * Admitting never waits and never does I/O. A key's limits are read from the key itself at each admission, so a change
 * holds for the next call.
 */
export class Limiter {
  readonly #options: LimiterOptions;
  /** By id alone: the prefix of an id tells keys from users. */
  readonly #subjects = new Map<string, LimitSubject>();
  readonly #headers = new HeaderWriter();
  readonly #fills: BudgetFills;
  /** Those of which calls are under way that hold nothing of them. */
  readonly #withUnheld = new Set<LimitSubject>();
  /** For all calls without limits, until the next account is opened. */
  #noTicket: Ticket;
  #sweep: IterableIterator<[string, LimitSubject]> | null = null;
  #admissions = 0;

  constructor(options: LimiterOptions) {
    this.#options = options;
    this.#fills = new BudgetFills(options);
    this.#noTicket = this.#ticketWithout();
  }

  /** Subjects in memory. */
  get size(): number {
    return this.#subjects.size;
  }

  /**
   * Reserves the worst case of a call in all limits, or in none. `dialect`: the caller's, for the names of headers.
   * Throws Fault `budget_exceeded` or `rate_limit_exceeded`, both with the time after which to try again and with the
   * headers that a ticket has.
   */
  admit(principal: Principal, estimate: Estimate, dialect: Dialect): Ticket {
    const keyLimits = principal.clientKey.limits;
    const ownerLimits = this.#options.ownerLimits?.(principal.ownerId) ?? UNLIMITED;
    const now = this.#now();
    this.#forgetIdle(now);
    const limited: Limited[] = [];
    if (!isUnlimited(keyLimits)) {
      const subject = this.#prepared(keyOf(principal), keyLimits, now);
      limited.push({ subject, limits: keyLimits });
    }
    if (!isUnlimited(ownerLimits)) {
      const subject = this.#prepared({ kind: "user", id: principal.ownerId }, ownerLimits, now);
      limited.push({ subject, limits: ownerLimits });
    }
    const serverLimits = this.#options.serverLimits?.() ?? UNLIMITED;
    if (!isUnlimited(serverLimits)) {
      limited.push({ subject: this.#prepared(SERVER, serverLimits, now), limits: serverLimits });
    }
    if (limited.length === 0) return this.#noTicket;
    assert(isSound(estimate), "an estimate is made of numbers from 0 on");
    const refusal = refusalOf(limited, estimate, now);
    if (refusal !== null) throw faultOf(refusal, this.#headersOf(limited, now, dialect));
    const holds: Hold[] = [];
    for (const { subject, limits } of limited) holds.push(subject.hold(limits, estimate, now));
    return this.#ticket(holds, this.#headersOf(limited, now, dialect));
  }

  /** See `gateway/ports`. */
  hasBudget({ clientKey, ownerId }: Principal): boolean {
    const { ownerLimits, serverLimits } = this.#options;
    const all = [clientKey.limits, ownerLimits?.(ownerId), serverLimits?.()];
    return all.some((limits) => (limits?.budgets.length ?? 0) > 0);
  }

  /**
   * Books what was used beyond any call that was admitted, such as in a batch, as it goes on record right afterwards.
   * Limits per minute do not hear of it.
   */
  book(used: Used, call: EndedCall): void {
    const { wallMs } = this.#now();
    for (const id of subjectsOf(call)) {
      const subject = this.#subjects.get(id);
      for (const { period } of subject?.accounts ?? []) {
        subject?.account(period, wallMs, (account) => {
          this.#opened(account, { kind: subject.kind, id });
        });
      }
      this.#fills.book(id, subject, used, call);
    }
  }

  /**
   * Sets aside what a batch may use, in the budgets that there are and in those that are set until it is counted. What
   * comes back gives it back; called once.
   */
  setAside(
    { clientKeyId, ownerId }: Pick<EndedCall, "clientKeyId" | "ownerId">,
    estimate: Estimate,
  ): () => void {
    const ofKey = this.#subject({ kind: "client key", id: clientKeyId }).setAside(estimate);
    const ofUser = this.#subject({ kind: "user", id: ownerId }).setAside(estimate);
    const ofServer = this.#subject(SERVER).setAside(estimate);
    return () => {
      ofKey();
      ofUser();
      ofServer();
    };
  }

  /**
   * Takes in what the ledger knows of a running period. Call it at the start, before calls are admitted,
   * with the rows of those that have a budget of this period.
   */
  restore(kind: SubjectKind, period: Period, rows: readonly SpentRow[]): void {
    const { wallMs } = this.#now();
    const startMs = periodStart(period, wallMs);
    for (const row of rows) {
      this.#subject({ kind, id: row.id }).account(period, wallMs).restore(row, startMs);
    }
  }

  /**
   * Hears of the present limits, so that what was spent before a budget was set counts from its first call on, and what
   * is under way when concurrency is limited.
   */
  setLimits(id: SubjectId, limits: Limits): void {
    this.#subjects.get(id.id)?.closeAccounts(limits.budgets);
    if (limits.concurrency !== null) this.#countUnheld(id);
    if (limits.budgets.length > 0) this.#prepared(id, limits, this.#now());
  }

  /** How far each of these budgets is used. */
  budgetUse({ id }: SubjectId, budgets: readonly Budget[]): readonly BudgetUse[] {
    const { wallMs } = this.#now();
    const subject = this.#subjects.get(id);
    return budgets.map((budget) => {
      const used = subject?.budgetUse(budget, wallMs) ?? NOTHING;
      return {
        budget,
        tokens: used.tokens,
        costMicros: used.costMicros,
        resetsAt: periodEnd(budget.period, periodStart(budget.period, wallMs)),
      };
    });
  }

  /** Forgets what was deleted. */
  forget({ id }: SubjectId): void {
    const subject = this.#subjects.get(id);
    if (subject === undefined) return;
    this.#withUnheld.delete(subject);
    this.#subjects.delete(id);
  }

  #countUnheld(id: SubjectId): void {
    const underWay = this.#options.underWay?.(id) ?? 0;
    // Of many keys that are made with limits at once none has calls yet.
    if (underWay === 0) return;
    const subject = this.#subject(id);
    subject.countUnheld(underWay);
    if (subject.unheld > 0) this.#withUnheld.add(subject);
  }

  /** A subject with an account for each of its budgets. */
  #prepared(id: SubjectId, limits: Limits, now: Moment): LimitSubject {
    const subject = this.#subject(id);
    for (const { period } of limits.budgets) {
      subject.account(period, now.wallMs, (account) => {
        this.#opened(account, id);
      });
    }
    return subject;
  }

  #opened(account: BudgetAccount, id: SubjectId): void {
    this.#fills.open(account, id);
    this.#noTicket = this.#ticketWithout();
  }

  #subject({ kind, id }: SubjectId): LimitSubject {
    const known = this.#subjects.get(id);
    if (known !== undefined) return known;
    const made = new LimitSubject(kind);
    this.#subjects.set(id, made);
    return made;
  }

  /** The headers tell of the tightest of several limits, by which a client should pace itself. */
  #headersOf(limited: readonly Limited[], now: Moment, dialect: Dialect): string {
    let requests: LimitState | null = null;
    let tokens: LimitState | null = null;
    for (const { subject, limits } of limited) {
      requests = tighter(requests, subject.requestsLeft(limits, now));
      tokens = tighter(tokens, subject.tokensLeft(limits, now));
    }
    return this.#headers.write({ requests, tokens }, now.wallMs, dialect);
  }

  #ticket(holds: readonly Hold[], headers: string): Ticket {
    const { opened } = this.#fills;
    let isOpen = true;
    return {
      headers,
      settle: (used, call) => {
        if (!isOpen) return;
        isOpen = false;
        const atEnd = this.#now();
        for (const hold of holds) hold.subject.settle(hold, used, atEnd);
        this.#ended(used, call, opened, holds);
      },
    };
  }

  /** The ticket of calls for which there is no limit at present. */
  #ticketWithout(): Ticket {
    const { opened } = this.#fills;
    return {
      headers: "",
      settle: (used, call) => {
        this.#ended(used, call, opened, NO_HOLDS);
      },
    };
  }

  /** Tells the accounts that were opened, and the limits that were set, while the call ran. */
  #ended(used: Used, call: EndedCall | undefined, opened: number, holds: readonly Hold[]): void {
    if (call === undefined) return;
    if (this.#withUnheld.size > 0) this.#endUnheld(call, holds);
    if (!this.#fills.concerns(opened)) return;
    const ended = { used, call, holds };
    for (const id of subjectsOf(call)) {
      this.#fills.ended(id, this.#subjects.get(id), ended);
    }
  }

  #endUnheld(call: EndedCall, holds: readonly Hold[]): void {
    for (const id of subjectsOf(call)) {
      const subject = this.#subjects.get(id);
      if (subject === undefined || holds.some((hold) => hold.subject === subject)) continue;
      subject.endUnheld();
      if (subject.unheld === 0) this.#withUnheld.delete(subject);
    }
  }

  /** Looks at a few subjects now and then, so that forgetting needs no timer and never takes long. */
  #forgetIdle(now: Moment): void {
    if (++this.#admissions % SWEEP_EVERY !== 0) return;
    for (let i = 0; i < SWEPT_AT_ONCE; i++) {
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

/**
 * Why a call is refused; null when all subjects have room. Budgets come first: nobody should wait for a rate limit only
 * to hear then that the money is spent. Of each kind it is the limit that takes longest to have room again.
 */
function refusalOf(limited: readonly Limited[], estimate: Estimate, now: Moment): Refusal | null {
  let byBudget: Refusal | null = null;
  let byRate: Refusal | null = null;
  for (const { subject, limits } of limited) {
    const ofBudgets = subject.budgetRefusal(limits, estimate, now);
    if (ofBudgets !== null) byBudget = longer(byBudget, ofBudgets);
    const ofRates = subject.rateRefusal(limits, estimate, now);
    if (ofRates !== null) byRate = longer(byRate, ofRates);
  }
  return byBudget ?? byRate;
}

/** Anything else would give room in a limit instead of taking it, or spoil its sums for good. */
function isSound({ inputTokens, maxOutputTokens, costMicros }: Estimate): boolean {
  return isAmount(inputTokens) && isAmount(maxOutputTokens) && isAmount(costMicros);
}

function isAmount(value: number): boolean {
  return value >= 0 && value < Infinity;
}

function faultOf({ code, message, retryAfterSeconds }: Refusal, headers: string): Fault {
  return new Fault(code, message, { retryAfterSeconds, headers });
}

/** Ids of all whose budgets a call fills. */
function subjectsOf({
  clientKeyId,
  ownerId,
}: Pick<EndedCall, "clientKeyId" | "ownerId">): readonly string[] {
  return [clientKeyId, ownerId, SERVER.id];
}

function keyOf({ clientKey }: Principal): SubjectId {
  return { kind: "client key", id: clientKey.id };
}

/** The tighter of two limits; where equally much is left, the one that takes longer to be free again. Of equals the first. */
function tighter(a: LimitState | null, b: LimitState | null): LimitState | null {
  if (a === null || b === null) return a ?? b;
  if (a.remaining !== b.remaining) return b.remaining < a.remaining ? b : a;
  return b.resetMs > a.resetMs ? b : a;
}
