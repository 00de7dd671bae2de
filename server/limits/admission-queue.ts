import type { Clock, Timer } from "../core/clock.js";
import { Fault } from "../core/fault.js";

export interface AdmissionQueueOptions {
  readonly clock: Clock;
  /** Calls under way at once; more wait. */
  readonly activeMax: number;
  /** Calls that may wait; more are refused at once. */
  readonly waitingMax: number;
  /** How long a call may wait before it is refused, milliseconds. */
  readonly waitMaxMs: number;
}

interface Waiting {
  readonly enter: () => void;
  readonly refuse: (fault: Fault) => void;
  readonly timer: Timer;
}

const RETRY_SECONDS = 1;

/**
 * Bounds how many calls are under way. Beyond that a bounded number waits for a bounded time, and the rest
 * hears at once that the server is overloaded instead of queueing towards a timeout. Callers take turns by
 * client key, so that one that floods the queue delays itself and not the others.
 */
export class AdmissionQueue {
  readonly #options: AdmissionQueueOptions;
  /** Waiting calls by client key; the order of the map is the order of turns. */
  readonly #waiting = new Map<string, Waiting[]>();
  #waitingCount = 0;
  #active = 0;

  constructor(options: AdmissionQueueOptions) {
    this.#options = options;
  }

  get active(): number {
    return this.#active;
  }

  get waiting(): number {
    return this.#waitingCount;
  }

  /**
   * Lets a call in: at once with undefined, or with a promise that settles when its turn has come. Each call
   * that was let in must call `leave` exactly once. Throws, or rejects with, Fault `overloaded`; rejects with
   * Fault `caller_aborted` when the signal fires while the call waits.
   */
  enter(clientKeyId: string, signal?: AbortSignal): Promise<void> | undefined {
    if (this.#active < this.#options.activeMax && this.#waitingCount === 0) {
      this.#active++;
      return undefined;
    }
    if (this.#waitingCount >= this.#options.waitingMax)
      throw overloaded("Too many calls wait already.");
    return this.#wait(clientKeyId, signal);
  }

  /** A call that was let in has ended; the next in turn enters. */
  leave(): void {
    this.#active--;
    this.#admitNext();
  }

  #wait(clientKeyId: string, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        entry.refuse(
          new Fault("caller_aborted", "The caller left while its call waited for its turn."),
        );
      };
      const settle = (finish: () => void): void => {
        if (!this.#drop(clientKeyId, entry)) return;
        entry.timer.cancel();
        signal?.removeEventListener("abort", onAbort);
        finish();
      };
      const entry: Waiting = {
        enter: () => settle(resolve),
        refuse: (fault) => settle(() => reject(fault)),
        timer: this.#options.clock.setTimer(() => {
          entry.refuse(overloaded("The call waited too long for its turn."));
        }, this.#options.waitMaxMs),
      };
      const queue = this.#waiting.get(clientKeyId);
      if (queue === undefined) this.#waiting.set(clientKeyId, [entry]);
      else queue.push(entry);
      this.#waitingCount++;
      if (signal?.aborted === true) onAbort();
      else signal?.addEventListener("abort", onAbort, { once: true });
    });
  }

  #admitNext(): void {
    while (this.#active < this.#options.activeMax) {
      const turn = this.#waiting.entries().next();
      if (turn.done === true) return;
      const [clientKeyId, queue] = turn.value;
      const [entry] = queue;
      if (entry === undefined) return;
      this.#active++;
      entry.enter();
      // To the end of the round; a key whose calls have all entered is gone already.
      if (this.#waiting.delete(clientKeyId)) this.#waiting.set(clientKeyId, queue);
    }
  }

  /** Takes an entry out of its queue; false when it was out already, so that it settles once. */
  #drop(clientKeyId: string, entry: Waiting): boolean {
    const queue = this.#waiting.get(clientKeyId);
    const at = queue?.indexOf(entry) ?? -1;
    if (queue === undefined || at < 0) return false;
    queue.splice(at, 1);
    if (queue.length === 0) this.#waiting.delete(clientKeyId);
    this.#waitingCount--;
    return true;
  }
}

function overloaded(cause: string): Fault {
  return new Fault("overloaded", `The server is overloaded. ${cause} Try again shortly.`, {
    retryAfterSeconds: RETRY_SECONDS,
  });
}
