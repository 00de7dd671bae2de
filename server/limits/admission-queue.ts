import type { Holder } from "../core/client-key.js";
import type { Clock, Timer } from "../core/clock.js";
import { FairRoom } from "../core/fair-room.js";
import { FairTurns } from "../core/fair-turns.js";
import { Fault } from "../core/fault.js";

export interface AdmissionQueueOptions {
  readonly clock: Clock;
  /** Calls under way at once; more wait. */
  readonly activeMax: number;
  /** Calls that may wait; more are refused at once. */
  readonly waitingMax: number;
  /** How long a call may wait before it is refused, milliseconds; asked for each call. */
  readonly waitMaxMs: () => number;
}

/** Hears that a waiting call's turn has come, or why it never will. */
export type OnTurn = (fault: Fault | undefined) => void;

interface Waiting {
  readonly holder: Holder;
  readonly onTurn: OnTurn;
  readonly timer: Timer;
}

const RETRY_SECONDS = 1;
/** So many times what is left free somebody's calls may be: one client key alone has seven eighths, a user 14 of 15. */
const TIMES_FREE = 7;

/**
 * Bounds how many calls are under way, and leaves room for others however long the calls of one user last. Beyond that a
 * bounded number of calls waits for a bounded time, and the rest are told at once that the server is overloaded, instead
 * of waiting for a timeout. Users take turns, and so do the client keys of each user. When the queue is full, the user
 * with most waiting calls loses the newest of them to a user with fewer: whoever floods the queue delays and shuts out
 * themselves, not the others.
 */
export class AdmissionQueue {
  readonly #options: AdmissionQueueOptions;
  /** Whoever waits is one for whom there is no room. */
  readonly #waiting = new FairTurns<Waiting>();
  readonly #active: FairRoom;

  constructor(options: AdmissionQueueOptions) {
    this.#options = options;
    this.#active = new FairRoom(options.activeMax, TIMES_FREE);
  }

  get active(): number {
    return this.#active.taken;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  get waitingMax(): number {
    return this.#options.waitingMax;
  }

  /**
   * Lets a call in: at once, which answers undefined, or when its turn has come, which `onTurn` hears once;
   * what comes back then gives up the place. Each call that was let in must call `leave` exactly once.
   * Throws Fault `overloaded`; a call that waits too long, or has to make room for another, is told the same.
   */
  enter(holder: Holder, onTurn: OnTurn): (() => void) | undefined {
    const { waitingMax } = this.#options;
    if (this.#active.mayTake(holder, 1)) return undefined;
    if (this.#waiting.size < waitingMax) return this.#wait(holder, onTurn);
    const crowded = this.#waiting.giveWay(holder);
    if (crowded === undefined) throw tooMany();
    crowded.timer.cancel();
    const giveUp = this.#wait(holder, onTurn);
    crowded.onTurn(tooMany());
    return giveUp;
  }

  /** A call that was let in has ended; those next in turn enter. */
  leave(holder: Holder): void {
    this.#active.give(holder, 1);
    while (this.#waiting.size > 0) {
      const next = this.#waiting.next(this.#mayEnter);
      if (next === undefined) return;
      next.timer.cancel();
      this.#active.mayTake(next.holder, 1);
      next.onTurn(undefined);
    }
  }

  readonly #mayEnter = (holder: Holder): boolean => this.#active.hasRoom(holder, 1);

  #wait(holder: Holder, onTurn: OnTurn): () => void {
    const timer = this.#options.clock.setTimer(() => {
      if (this.#waiting.leave(place)) {
        onTurn(overloaded("The call waited too long for its turn."));
      }
    }, this.#options.waitMaxMs());
    const place = this.#waiting.add(holder, { holder, onTurn, timer });
    return () => {
      if (this.#waiting.leave(place)) timer.cancel();
    };
  }
}

function tooMany(): Fault {
  return overloaded("Too many calls wait already.");
}

function overloaded(cause: string): Fault {
  return new Fault("overloaded", `The server is overloaded. ${cause} Try again shortly.`, {
    retryAfterSeconds: RETRY_SECONDS,
  });
}
