import type { Clock, Timer } from "./clock.js";
import type { Holder } from "./client-key.js";
import { FairTurns, type Place } from "./fair-turns.js";
import { addressBlock } from "./ip.js";
import { Pace, type PaceLimits } from "./pace.js";

export interface PacedTurnsOptions<T> {
  readonly clock: Clock;
  readonly pace: PaceLimits;
  /** The thing's turn has come. */
  readonly begin: (thing: T) => void;
  /** Called where none may begin now: how many that have begun are not counted any more. */
  readonly reclaim?: () => number;
}

/** Things that begin in turns between the addresses that they come from, so many in a second. */
export class PacedTurns<T> {
  readonly #options: PacedTurnsOptions<T>;
  readonly #waiting = new FairTurns<T>();
  readonly #pace: Pace;
  #timer: Timer | undefined;

  constructor(options: PacedTurnsOptions<T>) {
    this.#options = options;
    this.#pace = new Pace(options.clock, options.pace);
  }

  /** Things that wait. */
  get size(): number {
    return this.#waiting.size;
  }

  /** Adds a thing, which begins at once where few came before. `id`: its own, or one that it shares with others of its address. */
  add(ip: string, id: string, thing: T): Place<T> {
    const place = this.#waiting.add(holderOf(ip, id), thing);
    this.#next();
    return place;
  }

  /** Takes out a thing that waits no longer; harmless if it did not. */
  leave(place: Place<T>): void {
    this.#waiting.leave(place);
  }

  /** As `FairTurns.giveWay`. */
  giveWay(ip: string, id: string): T | undefined {
    return this.#waiting.giveWay(holderOf(ip, id));
  }

  /** One that has begun is not counted any more. */
  giveBack(): void {
    this.#pace.giveBack();
  }

  #next(): void {
    const { begin, clock } = this.#options;
    while (this.#waiting.size > 0 && this.#mayBegin()) {
      const thing = this.#waiting.next();
      if (thing !== undefined) begin(thing);
    }
    if (this.#waiting.size === 0 || this.#timer !== undefined) return;
    this.#timer = clock.setTimer(() => {
      this.#timer = undefined;
      this.#next();
    }, this.#pace.waitMs());
  }

  #mayBegin(): boolean {
    if (this.#pace.mayTake()) return true;
    const back = this.#options.reclaim?.() ?? 0;
    if (back === 0) return false;
    this.#pace.giveBack(back);
    return this.#pace.mayTake();
  }
}

/** An IPv6 caller counts as its /64. */
function holderOf(ip: string, id: string): Holder {
  return { ownerId: addressBlock(ip), clientKey: { id } };
}
