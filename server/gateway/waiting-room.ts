import type { Holder } from "../core/client-key.js";
import type { Clock } from "../core/clock.js";
import { FairRoom } from "../core/fair-room.js";

/** Calls that wait for a provider key to be back; bounded, for each of them holds its request. */
export class WaitingRoom {
  readonly #clock: Clock;
  readonly #calls: FairRoom;

  constructor(options: { clock: Clock; callsMax: number }) {
    this.#clock = options.clock;
    this.#calls = new FairRoom(options.callsMax);
  }

  /** Calls `then` after a while; what comes back leaves the room early. Undefined when there is no room. */
  enter(holder: Holder, waitMs: number, then: () => void): (() => void) | undefined {
    if (!this.#calls.mayTake(holder, 1)) return undefined;
    let waiting = true;
    const leave = (): void => {
      if (!waiting) return;
      waiting = false;
      this.#calls.give(holder, 1);
      timer.cancel();
    };
    const timer = this.#clock.setTimer(() => {
      leave();
      then();
    }, waitMs);
    return leave;
  }
}
