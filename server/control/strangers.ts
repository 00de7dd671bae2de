import type { Clock, Timer } from "../core/clock.js";
import type { Holder } from "../core/client-key.js";
import { FairRoom } from "../core/fair-room.js";
import { FairTurns } from "../core/fair-turns.js";
import { addressBlock } from "../core/ip.js";
import { Pace } from "../core/pace.js";

/** What strangers may take of the control port. */
export interface StrangerLimits {
  /** Requests of all strangers that begin in a second. Each costs about a millisecond, refused or not. */
  readonly perSecond: number;
  /** Requests that begin at once where few came before. */
  readonly burst: number;
  /** Requests that wait for their turn; of more, the address that has most loses its newest. */
  readonly waitingMax: number;
  /** Requests under way, of which one address has two thirds at most, one connection half. */
  readonly runningMax: number;
}

export const STRANGER_LIMITS: StrangerLimits = {
  perSecond: 200,
  burst: 20,
  waitingMax: 2_048,
  runningMax: 512,
};

/** A request of which nobody knows yet whose it is. */
export interface StrangersRequest {
  /** Of whoever sent it; an IPv6 caller counts as its /64. */
  readonly ip: string;
  /** Names the connection that it came over. */
  readonly connectionId: string;
  readonly begin: () => void;
  /** Ends it unanswered: too many wait. */
  readonly drop: () => void;
}

interface Waiting {
  readonly holder: Holder;
  readonly begin: () => void;
  readonly drop: () => void;
}

/**
 * Requests of strangers take turns, between addresses first, then between the connections of an address, and so many
 * begin in a second in all: whoever has no good credential cannot keep the server from those who do. They wait rather
 * than being refused, for who is told no at once asks again at once.
 */
export class Strangers {
  readonly #clock: Clock;
  readonly #limits: StrangerLimits;
  readonly #waiting = new FairTurns<Waiting>();
  readonly #running: FairRoom;
  readonly #pace: Pace;
  #timer: Timer | undefined;

  constructor(clock: Clock, limits: StrangerLimits) {
    this.#clock = clock;
    this.#limits = limits;
    this.#running = new FairRoom(limits.runningMax);
    this.#pace = new Pace(clock, limits);
  }

  /** Begins a request when its turn comes. Call the answer once, when the request has ended or is no stranger's. */
  admit(request: StrangersRequest): () => void {
    const holder = { ownerId: addressBlock(request.ip), clientKey: { id: request.connectionId } };
    let hasBegun = false;
    const begin = (): void => {
      hasBegun = true;
      request.begin();
    };
    if (this.#waiting.size >= this.#limits.waitingMax) {
      const crowded = this.#waiting.giveWay(holder);
      if (crowded === undefined) {
        request.drop();
        return () => undefined;
      }
      crowded.drop();
    }
    const place = this.#waiting.add(holder, { holder, begin, drop: request.drop });
    this.#next();
    return () => {
      if (!hasBegun) this.#waiting.leave(place);
      else this.#end(holder);
    };
  }

  readonly #hasRoom = (holder: Holder): boolean => this.#running.hasRoom(holder, 1);

  #end(holder: Holder): void {
    this.#running.give(holder, 1);
    this.#next();
  }

  #next(): void {
    while (this.#pace.waitMs() === 0) {
      const next = this.#waiting.next(this.#hasRoom);
      if (next === undefined) return;
      this.#running.mayTake(next.holder, 1);
      this.#pace.take(1);
      next.begin();
    }
    if (this.#waiting.size === 0 || this.#timer !== undefined) return;
    this.#timer = this.#clock.setTimer(() => {
      this.#timer = undefined;
      this.#next();
    }, this.#pace.waitMs());
  }
}
