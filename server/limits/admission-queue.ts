import type { Holder } from "../core/client-key.js";
import type { Clock, Timer } from "../core/clock.js";
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
  readonly onTurn: OnTurn;
  readonly timer: Timer;
}

const RETRY_SECONDS = 1;

/**
 * Bounds how many calls are under way. Beyond that a bounded number of calls waits for a bounded time, and the rest are
 * told at once that the server is overloaded, instead of waiting for a timeout. Users take turns, and so do the client
 * keys of each user. When the queue is full, the user with most waiting calls loses the newest of them to a user with
 * fewer: whoever floods the queue delays and shuts out themselves, not the others.
 */
export class AdmissionQueue {
  readonly #options: AdmissionQueueOptions;
  readonly #waiting = new FairTurns<Waiting>();
  #active = 0;

  constructor(options: AdmissionQueueOptions) {
    this.#options = options;
  }

  get active(): number {
    return this.#active;
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
    const { activeMax, waitingMax } = this.#options;
    if (this.#active < activeMax && this.#waiting.size === 0) {
      this.#active++;
      return undefined;
    }
    if (this.#waiting.size < waitingMax) return this.#wait(holder, onTurn);
    const crowded = this.#waiting.giveWay(holder);
    if (crowded === undefined) throw tooMany();
    crowded.timer.cancel();
    const giveUp = this.#wait(holder, onTurn);
    crowded.onTurn(tooMany());
    return giveUp;
  }

  /** A call that was let in has ended; the next in turn enters. */
  leave(): void {
    this.#active--;
    while (this.#active < this.#options.activeMax) {
      const next = this.#waiting.next();
      if (next === undefined) return;
      next.timer.cancel();
      this.#active++;
      next.onTurn(undefined);
    }
  }

  #wait(holder: Holder, onTurn: OnTurn): () => void {
    const timer = this.#options.clock.setTimer(() => {
      if (this.#waiting.leave(place)) {
        onTurn(overloaded("The call waited too long for its turn."));
      }
    }, this.#options.waitMaxMs());
    const place = this.#waiting.add(holder, { onTurn, timer });
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
