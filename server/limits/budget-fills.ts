import type { Used } from "../core/call.js";
import type { BudgetAccount } from "./budget-account.js";
import type { Hold, LimitSubject, SubjectId } from "./limit-subject.js";

/** Calls that may end while an account is being filled; with more of them the ledger has taken too long to answer. */
const ENDED_CALLS_MAX = 10_000;

/** A call that has ended, as it goes on record. */
export interface EndedCall {
  readonly id: string;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  readonly clientKeyId: string;
  readonly ownerId: string;
}

/** A calendar period: its first millisecond, since the epoch, and the first of the next one. */
export interface Span {
  readonly startMs: number;
  readonly endMs: number;
}

export interface BudgetFillsOptions {
  /**
   * What a subject has spent in a period, in calls that had ended when this was called. Calls that `booked` names, by
   * their ids, when the ledger is read have ended since and are left out.
   */
  readonly loadSpent?: (
    subject: SubjectId,
    span: Span,
    booked: () => readonly string[],
  ) => Promise<Used>;
  /** Hears that `loadSpent` failed. */
  readonly onLoadFailed?: (subject: SubjectId, cause: unknown) => void;
}

interface Fill {
  readonly subjectId: string;
  /** Ids of calls that have ended since the account was opened. */
  readonly ended: string[];
}

/**
 * Fills budget accounts that are opened while calls run. The ledger tells what was spent before; a call that ends later
 * is booked here, even if it was admitted before the account was opened and reserved nothing in it. So each call counts
 * once.
 */
export class BudgetFills {
  readonly #options: BudgetFillsOptions;
  readonly #fills = new Set<Fill>();
  #opened = 0;

  constructor(options: BudgetFillsOptions) {
    this.#options = options;
  }

  /** Accounts that have been opened so far. */
  get opened(): number {
    return this.#opened;
  }

  /** An account was opened: what was spent before is added once the ledger has answered. */
  open(account: BudgetAccount, id: SubjectId): void {
    this.#opened += 1;
    const { loadSpent, onLoadFailed } = this.#options;
    if (loadSpent === undefined) return;
    const fill: Fill = { subjectId: id.id, ended: [] };
    this.#fills.add(fill);
    const { span } = account;
    loadSpent(id, span, () => endedOf(fill))
      .then(
        (spent) => account.restore(spent, span.startMs),
        (cause: unknown) => onLoadFailed?.(id, cause),
      )
      .finally(() => this.#fills.delete(fill));
  }

  /** Whether `ended` must be called for a call that was admitted when `opened` accounts had been opened. */
  concerns(opened: number): boolean {
    return opened !== this.#opened || this.#fills.size > 0;
  }

  /** A call of this subject has ended: books it in the accounts in which it has reserved nothing, opened while it ran. */
  ended(subjectId: string, subject: LimitSubject | undefined, { call, used, holds }: Ended): void {
    this.#note(subjectId, call);
    for (const account of subject?.accounts ?? []) {
      if (!isHeld(account, holds)) account.restore(used, call.startedAt);
    }
  }

  /** Books a call that was never admitted, as it goes on record, in all accounts of a subject. */
  book(subjectId: string, subject: LimitSubject | undefined, used: Used, call: EndedCall): void {
    this.#note(subjectId, call);
    for (const account of subject?.accounts ?? []) account.restore(used, call.startedAt);
  }

  /** The ledger will have the call by the time that it answers. */
  #note(subjectId: string, { id }: EndedCall): void {
    for (const fill of this.#fills) {
      if (fill.subjectId === subjectId && fill.ended.length <= ENDED_CALLS_MAX) fill.ended.push(id);
    }
  }
}

/** How a call ended. */
interface Ended {
  readonly call: EndedCall;
  readonly used: Used;
  /** What it has set aside. */
  readonly holds: readonly Hold[];
}

function endedOf({ ended }: Fill): readonly string[] {
  if (ended.length <= ENDED_CALLS_MAX) return ended;
  throw new Error("too many calls ended while a budget's spending was being read");
}

function isHeld(account: BudgetAccount, holds: readonly Hold[]): boolean {
  return holds.some(({ reservations }) => reservations.some((each) => each.account === account));
}
