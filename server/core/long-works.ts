import type { Holder } from "./client-key.js";
import { FairTurns } from "./fair-turns.js";

/** Does a part of a work; true when that was the last. Never throws. */
type Step = () => boolean;

interface Work {
  readonly holder: Holder;
  readonly step: Step;
}

/**
 * Works that would hold everybody up if they were done at once. In each turn of the event loop there is a part of one of
 * them, so that whoever comes meanwhile waits for one part, however many works there are. Turns go round between users,
 * and those of a user between their client keys.
 */
export class LongWorks {
  readonly #waiting = new FairTurns<Work>();
  #isDue = false;

  /** Begins in a later turn of the loop. */
  add(holder: Holder, step: Step): void {
    this.#waiting.add(holder, { holder, step });
    this.#goOnLater();
  }

  /** Does a part of the work whose turn it is. */
  goOn(): void {
    this.#isDue = false;
    const work = this.#waiting.next();
    if (work !== undefined && !work.step()) this.#waiting.add(work.holder, work);
    this.#goOnLater();
  }

  #goOnLater(): void {
    if (this.#isDue || this.#waiting.size === 0) return;
    this.#isDue = true;
    setImmediate(goOn, this);
  }
}

function goOn(works: LongWorks): void {
  works.goOn();
}
