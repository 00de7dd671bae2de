import type { Clock, Timer } from "../core/clock.js";
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
 * Bounds how many calls are under way. Beyond that a bounded number waits for a bounded time, and the rest
 * hears at once that the server is overloaded instead of queueing towards a timeout. Callers take turns by
 * client key, and where nobody more may wait the key with most waiting calls gives up its newest for a key with
 * fewer, so that one that floods the queue delays and shuts out itself and not the others.
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

  get waitingMax(): number {
    return this.#options.waitingMax;
  }

  /**
   * Lets a call in: at once, which answers undefined, or when its turn has come, which `onTurn` hears once;
   * what comes back then gives up the place. Each call that was let in must call `leave` exactly once.
   * Throws Fault `overloaded`; who waits too long, or has to make room for another key, hears the same.
   */
  enter(clientKeyId: string, onTurn: OnTurn): (() => void) | undefined {
    if (this.#active < this.#options.activeMax && this.#waitingCount === 0) {
      this.#active++;
      return undefined;
    }
    if (this.#waitingCount < this.#options.waitingMax) return this.#wait(clientKeyId, onTurn);
    const crowd = this.#crowdFor(clientKeyId);
    if (crowd === undefined) throw tooMany();
    const giveUp = this.#wait(clientKeyId, onTurn);
    this.#makeRoom(crowd);
    return giveUp;
  }

  /** A call that was let in has ended; the next in turn enters. */
  leave(): void {
    this.#active--;
    this.#admitNext();
  }

  #wait(clientKeyId: string, onTurn: OnTurn): () => void {
    const timer = this.#options.clock.setTimer(() => {
      if (this.#drop(clientKeyId, entry)) {
        onTurn(overloaded("The call waited too long for its turn."));
      }
    }, this.#options.waitMaxMs());
    const entry: Waiting = { onTurn, timer };
    const queue = this.#waiting.get(clientKeyId);
    if (queue === undefined) this.#waiting.set(clientKeyId, [entry]);
    else queue.push(entry);
    this.#waitingCount++;
    return () => {
      this.#drop(clientKeyId, entry);
    };
  }

  /** The key with most waiting calls, if it still has as many as the newcomer's key when it gives one up for that. */
  #crowdFor(clientKeyId: string): string | undefined {
    // Each key waits with one call: that is said without looking at all of them.
    if (this.#waiting.size === this.#waitingCount) return undefined;
    let most = (this.#waiting.get(clientKeyId)?.length ?? 0) + 1;
    let crowd: string | undefined;
    for (const [id, { length }] of this.#waiting) {
      if (length <= most) continue;
      most = length;
      crowd = id;
    }
    return crowd;
  }

  /** Turns the newest away: it has waited least. */
  #makeRoom(clientKeyId: string): void {
    const newest = this.#waiting.get(clientKeyId)?.at(-1);
    if (newest !== undefined && this.#drop(clientKeyId, newest)) newest.onTurn(tooMany());
  }

  #admitNext(): void {
    while (this.#active < this.#options.activeMax) {
      const turn = this.#waiting.entries().next();
      if (turn.done === true) return;
      const [clientKeyId, queue] = turn.value;
      const [entry] = queue;
      if (entry === undefined || !this.#drop(clientKeyId, entry)) return;
      // To the end of the round; a key whose calls have all entered is gone already.
      if (this.#waiting.delete(clientKeyId)) this.#waiting.set(clientKeyId, queue);
      this.#active++;
      entry.onTurn(undefined);
    }
  }

  /** Takes an entry out of its queue; false when it was out already, so that it hears once. */
  #drop(clientKeyId: string, entry: Waiting): boolean {
    const queue = this.#waiting.get(clientKeyId);
    const at = queue?.indexOf(entry) ?? -1;
    if (queue === undefined || at < 0) return false;
    entry.timer.cancel();
    queue.splice(at, 1);
    if (queue.length === 0) this.#waiting.delete(clientKeyId);
    this.#waitingCount--;
    return true;
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
