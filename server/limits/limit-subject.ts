import type { Estimate, Used } from "../core/call.js";
import type { Budget, Limits } from "../core/limits.js";
import { numberOf } from "../core/number-of.js";
import type { Period } from "../core/period.js";
import { BudgetAccount, type Overrun, type Reservation } from "./budget-account.js";
import type { LimitState } from "./headers.js";
import { SlidingWindow, type WindowEntry } from "./sliding-window.js";

/** Both clocks at one moment: rates run on the monotonic one, budgets on the wall clock. */
export interface Moment {
  readonly wallMs: number;
  readonly monotonicMs: number;
}

/** What a call has taken from a subject until it is settled. */
export interface Hold {
  readonly subject: LimitSubject;
  readonly tokens: WindowEntry | null;
  readonly tokensHeld: number;
  readonly reservations: readonly AccountReservation[];
}

/** Why a call is refused, and when it may be let in. */
export interface Refusal {
  readonly code: "budget_exceeded" | "rate_limit_exceeded";
  /** For the caller. */
  readonly message: string;
  readonly retryAfterSeconds: number;
}

interface AccountReservation {
  readonly account: BudgetAccount;
  readonly reservation: Reservation;
}

/** Whom a limit is for, in the words of a refusal. */
export type SubjectKind = "client key" | "user" | "server";

/** One client key, one user, or the whole server. */
export interface SubjectId {
  readonly kind: SubjectKind;
  readonly id: string;
}

/** Why a budget refuses a call, and what its caller can do. */
interface Remediable extends Overrun {
  readonly remedy: string;
}

const CONCURRENCY_RETRY_SECONDS = 1;
/** What most calls can do about it. */
const FEWER_TOKENS = "ask for fewer output tokens";
const NO_RESERVATIONS: readonly AccountReservation[] = [];
const MICROS_PER_DOLLAR = 1_000_000;
const NOTHING: Used = { tokens: 0, costMicros: 0 };

/** How much of its limits one client key, one user or the whole server has used. */
export class LimitSubject {
  readonly kind: SubjectKind;
  readonly #requests = new SlidingWindow();
  readonly #tokens = new SlidingWindow();
  #inFlight = 0;
  /** Calls under way that hold nothing: when they were admitted, there was no limit. */
  #unheld = 0;
  /** One for each period that a budget was set for. */
  readonly #accounts: BudgetAccount[] = [];
  /** How often something is set aside beyond calls, and how much in all. */
  #asides = 0;
  readonly #aside = { tokens: 0, costMicros: 0 };

  constructor(kind: SubjectKind) {
    this.kind = kind;
  }

  get unheld(): number {
    return this.#unheld;
  }

  /** A limit of concurrency holds from now on, for calls that are under way without a hold as well. */
  countUnheld(underWay: number): void {
    this.#unheld = Math.max(0, underWay - this.#inFlight);
  }

  /** A call without a hold has ended; one that began when there was no limit again was not counted. */
  endUnheld(): void {
    if (this.#unheld > 0) this.#unheld--;
  }

  /**
   * The account for days, weeks or months, turned to the one that the clock is in; opened when it is first needed.
   * `onUnknown` hears of an account in which more may have been spent than is known here.
   */
  account(
    period: Period,
    wallMs: number,
    onUnknown?: (account: BudgetAccount) => void,
  ): BudgetAccount {
    const open = this.openAccount(period);
    if (open !== undefined) {
      if (open.follow(wallMs)) onUnknown?.(open);
      return open;
    }
    const account = new BudgetAccount(period, wallMs);
    this.#accounts.push(account);
    onUnknown?.(account);
    return account;
  }

  /** All accounts that are open. */
  get accounts(): readonly BudgetAccount[] {
    return this.#accounts;
  }

  /** Closes the accounts of budgets that were removed: what is spent without a budget is not booked there. */
  closeAccounts(budgets: readonly Budget[]): void {
    const isOver = ({ period }: BudgetAccount): boolean =>
      budgets.every((budget) => budget.period !== period);
    for (const account of this.#accounts.filter(isOver)) {
      this.#accounts.splice(this.#accounts.indexOf(account), 1);
    }
  }

  /** The account of a period, if there is one. */
  openAccount(period: Period): BudgetAccount | undefined {
    return this.#accounts.find((account) => account.period === period);
  }

  /** Why a budget refuses a call; of several the one that begins anew last. Null when all have room. Changes nothing. */
  budgetRefusal(limits: Limits, estimate: Estimate, now: Moment): Refusal | null {
    if (estimate.isFree === true) return null;
    let last: Refusal | null = null;
    for (const budget of limits.budgets) {
      const account = this.account(budget.period, now.wallMs);
      const overrun = account.overrun(budget, spendingOf(estimate), this.#aside);
      if (overrun === null) continue;
      const { remedy = FEWER_TOKENS } = estimate;
      last = longer(last, this.#overrunRefusal(budget, { ...overrun, remedy }, now.wallMs));
    }
    return last;
  }

  /** Why a limit of rate or concurrency refuses a call; of several the one that takes longest. Null when all have room. Changes nothing. */
  rateRefusal(limits: Limits, estimate: Estimate, now: Moment): Refusal | null {
    let last: Refusal | null = null;
    const { concurrency, requestsPerMinute, tokensPerMinute } = limits;
    if (concurrency !== null && this.#inFlight + this.#unheld >= concurrency) {
      last = this.#rateRefusal(
        numberOf(concurrency, "concurrent request"),
        CONCURRENCY_RETRY_SECONDS,
      );
    }
    if (requestsPerMinute !== null) {
      const waitMs = this.#requests.waitMs(1, requestsPerMinute, now.monotonicMs);
      const what = `${numberOf(requestsPerMinute, "request")} per minute`;
      if (waitMs > 0) last = longer(last, this.#rateRefusal(what, waitMs / 1000));
    }
    if (tokensPerMinute !== null) {
      const held = tokensHeld(estimate, tokensPerMinute);
      const waitMs = this.#tokens.waitMs(held, tokensPerMinute, now.monotonicMs);
      const what = `${numberOf(tokensPerMinute, "token")} per minute`;
      if (waitMs > 0) last = longer(last, this.#rateRefusal(what, waitMs / 1000));
    }
    return last;
  }

  /** Takes what a call may use at most; called once there is room for it. */
  hold(limits: Limits, estimate: Estimate, now: Moment): Hold {
    this.#inFlight++;
    if (limits.requestsPerMinute !== null) this.#requests.add(1, now.monotonicMs);
    const held = limits.tokensPerMinute === null ? 0 : tokensHeld(estimate, limits.tokensPerMinute);
    return {
      subject: this,
      tokens: limits.tokensPerMinute === null ? null : this.#tokens.add(held, now.monotonicMs),
      tokensHeld: held,
      reservations: this.#reserve(limits.budgets, estimate, now.wallMs),
    };
  }

  /**
   * Sets something aside in all budgets, for what is used beyond any call and at its end: in those too that are set, or
   * begin anew, before that. What comes back gives it back; called once.
   */
  setAside(estimate: Estimate): () => void {
    const { tokens, costMicros } = spendingOf(estimate);
    const aside = this.#aside;
    this.#asides++;
    aside.tokens += tokens;
    aside.costMicros += costMicros;
    return () => {
      this.#asides--;
      aside.tokens -= tokens;
      aside.costMicros -= costMicros;
    };
  }

  /** What is used of a budget; what is set aside counts as used. */
  budgetUse({ period }: Budget, wallMs: number): Used {
    const account = this.openAccount(period);
    if (account === undefined) return NOTHING;
    const { tokens, costMicros } = account.used(wallMs);
    const aside = this.#aside;
    return { tokens: tokens + aside.tokens, costMicros: costMicros + aside.costMicros };
  }

  /** Gives back a hold and books what was used instead. */
  settle(hold: Hold, used: { tokens: number; costMicros: number }, now: Moment): void {
    this.#inFlight--;
    if (hold.tokens !== null) {
      this.#tokens.correct(hold.tokens, used.tokens - hold.tokensHeld, now.monotonicMs);
    }
    for (const { account, reservation } of hold.reservations) account.settle(reservation, used);
  }

  /** What is left of the limit of requests per minute, for headers; null where there is none. */
  requestsLeft({ requestsPerMinute: limit }: Limits, { monotonicMs }: Moment): LimitState | null {
    return limit === null ? null : leftIn(this.#requests, limit, monotonicMs);
  }

  /** As `requestsLeft`, of tokens. */
  tokensLeft({ tokensPerMinute: limit }: Limits, { monotonicMs }: Moment): LimitState | null {
    return limit === null ? null : leftIn(this.#tokens, limit, monotonicMs);
  }

  /** True when the subject may be forgotten without anybody getting more than their due. */
  isIdle(now: Moment): boolean {
    return (
      this.#inFlight === 0 &&
      this.#unheld === 0 &&
      this.#asides === 0 &&
      this.#accounts.every((account) => account.isOver(now.wallMs)) &&
      this.#requests.isIdle(now.monotonicMs) &&
      this.#tokens.isIdle(now.monotonicMs)
    );
  }

  #reserve(
    budgets: readonly Budget[],
    estimate: Estimate,
    wallMs: number,
  ): readonly AccountReservation[] {
    if (budgets.length === 0) return NO_RESERVATIONS;
    const spending = spendingOf(estimate);
    return budgets.map(({ period }) => {
      const account = this.account(period, wallMs);
      return { account, reservation: account.reserve(spending) };
    });
  }

  #overrunRefusal(budget: Budget, overrun: Remediable, wallMs: number): Refusal {
    const retryAfterSeconds = Math.ceil((overrun.resetsAt - wallMs) / 1000);
    const message = budgetMessage(this.kind, budget, overrun);
    return { code: "budget_exceeded", message, retryAfterSeconds };
  }

  #rateRefusal(what: string, waitSeconds: number): Refusal {
    const retryAfterSeconds = Math.ceil(waitSeconds);
    const message = `The limit of ${what} of this ${this.kind} is reached; try again in ${retryAfterSeconds} s.`;
    return { code: "rate_limit_exceeded", message, retryAfterSeconds };
  }
}

/** Of two refusals the one that holds longer: whoever came back after the other would be refused again. Of equals the first. */
export function longer(a: Refusal | null, b: Refusal): Refusal {
  return a === null || b.retryAfterSeconds > a.retryAfterSeconds ? b : a;
}

/**
 * A call larger than a whole minute's tokens is let in when the minute is empty, instead of never. What is used later is
 * used at the provider's own pace.
 */
function tokensHeld(estimate: Estimate, limit: number): number {
  if (estimate.isLater === true) return 0;
  return Math.min(estimate.inputTokens + estimate.maxOutputTokens, limit);
}

function leftIn(window: SlidingWindow, limit: number, nowMs: number): LimitState {
  return { limit, remaining: limit - window.total(nowMs), resetMs: window.resetMs(nowMs) };
}

function spendingOf(estimate: Estimate): { tokens: number; costMicros: number } {
  return {
    tokens: estimate.inputTokens + estimate.maxOutputTokens,
    costMicros: estimate.costMicros,
  };
}

function budgetMessage(kind: SubjectKind, budget: Budget, overrun: Remediable): string {
  const amount = overrun.part === "tokens" ? tokensAsText : moneyAsText;
  const resets = new Date(overrun.resetsAt).toISOString().slice(0, 10);
  // What the whole server may spend is no caller's business.
  if (kind === "server") {
    const period = budget.period.toLowerCase();
    return `The server's budget for this ${period} is used up; it begins anew on ${resets} (UTC).`;
  }
  const spent = `Of the budget of ${amount(overrun.limit)} per ${budget.period.toLowerCase()} of this ${kind} `;
  const left =
    overrun.left <= 0
      ? "nothing is left"
      : `${amount(overrun.left)} can still be used, and this call may use up to ${amount(overrun.needed)}; ${overrun.remedy}`;
  return `${spent}${left}. It begins anew on ${resets} (UTC).`;
}

function tokensAsText(tokens: number): string {
  return numberOf(tokens, "token");
}

/** To the last digit: what is left and what is needed would often look the same if rounded. */
function moneyAsText(micros: number): string {
  return `$${(micros / MICROS_PER_DOLLAR).toFixed(6).replace(/0{1,4}$/, "")}`;
}
