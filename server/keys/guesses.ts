import type { Clock } from "../core/clock.js";
import { FairMap } from "../core/fair-map.js";
import { Fault } from "../core/fault.js";
import { addressBlock } from "../core/ip.js";
import { Pace, type PaceLimits } from "../core/pace.js";
import type { PasswordAsker } from "./ports.js";

/** Passwords that an address may get wrong. */
const WRONG: PaceLimits = { perSecond: 1 / 3, burst: 20 };
/** Addresses whose wrong passwords are counted; of more, those that were counted first are forgotten. */
const ADDRESSES_KEPT = 8_192;
/** Addresses from which a user has signed in that are remembered; of more, the address with most names loses one. */
const SIGNED_IN_KEPT = 8_192;

export interface GuessesOptions {
  readonly clock: Clock;
  /** Whether an address brings the calls of many, as a proxy does: wrong ones of one keep others from nothing. */
  readonly bringsOthers: (ip: string) => boolean;
}

/** One sign-in that is tried. */
export interface Guess {
  readonly asker: PasswordAsker;
  /** The password was right. */
  readonly wasRight: () => void;
}

/**
 * Who tries passwords. A check costs a tenth of a second of a processor, so an address that gets many wrong is refused
 * before it; but not for the names with which somebody has signed in from there.
 */
export class Guesses {
  readonly #options: GuessesOptions;
  readonly #left = new Map<string, Pace>();
  readonly #signedIn = new FairMap<true>(SIGNED_IN_KEPT);

  constructor(options: GuessesOptions) {
    this.#options = options;
  }

  /** Throws Fault `rate_limit_exceeded`. */
  begin(ip: string, name: string): Guess {
    const address = addressBlock(ip);
    const place = `${address} ${name}`;
    const holder = { ownerId: address, clientKey: { id: place } };
    const isKnown = this.#signedIn.get(place) === true;
    const counted = isKnown || this.#options.bringsOthers(ip) ? undefined : this.#leftOf(address);
    if (counted?.mayTake() === false) throw tooManyWrong(counted.waitMs());
    return {
      asker: {
        isStranger: true,
        holder: isKnown ? { ownerId: place, clientKey: { id: place } } : holder,
      },
      wasRight: () => {
        counted?.giveBack();
        this.#signedIn.set(holder, place, true);
      },
    };
  }

  #leftOf(address: string): Pace {
    const known = this.#left.get(address);
    if (known !== undefined) return known;
    const [oldest] = this.#left.keys();
    if (this.#left.size >= ADDRESSES_KEPT && oldest !== undefined) this.#left.delete(oldest);
    const left = new Pace(this.#options.clock, WRONG);
    this.#left.set(address, left);
    return left;
  }
}

function tooManyWrong(waitMs: number): Fault {
  return new Fault(
    "rate_limit_exceeded",
    "Too many wrong passwords came from your address; try again in a moment.",
    { retryAfterSeconds: Math.ceil(waitMs / 1_000) },
  );
}
