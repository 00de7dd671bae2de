import type { Holder } from "./client-key.js";

/** Of so many users and keys it is remembered that they hold nothing; most of them take something again soon. */
const EMPTY_SHARES_MAX = 1_000;

/** What one user, or one client key, holds. */
interface Share {
  amount: number;
}

interface Shares {
  readonly ownerId: string;
  readonly clientKeyId: string;
  readonly user: Share;
  readonly key: Share;
}

/**
 * A bounded amount of something, such as bytes, that callers hold for a while. More is given as long as the average of
 * what the client key holds and what its user holds with all keys is no more than what is left free, or a few times that.
 * So one client key can take half of the whole, a user with many keys two thirds, and there is always room for others.
 */
export class FairRoom {
  readonly #max: number;
  readonly #timesFree: number;
  readonly #users = new Map<string, Share>();
  readonly #keys = new Map<string, Share>();
  /** Of whoever took or gave last, who mostly is the next as well. */
  #last: Shares | undefined;
  /** When there are more shares, those that are empty are forgotten. */
  #sharesMax = EMPTY_SHARES_MAX;
  #taken = 0;

  /**
   * `max`: how much there is in all, in whatever unit `mayTake` and `give` count. `timesFree`: how many times what is left
   * free somebody may hold.
   */
  constructor(max: number, timesFree = 1) {
    this.#max = max;
    this.#timesFree = timesFree;
  }

  /** What all callers together hold. */
  get taken(): number {
    return this.#taken;
  }

  /** Whether there is room for an amount now. */
  hasRoom(holder: Holder, amount: number): boolean {
    return this.#fits(this.#sharesOf(holder), amount, this.#timesFree);
  }

  /** Takes an amount if there is room for it; false if there is none. `timesFree`: as in the constructor, for this one. */
  mayTake(holder: Holder, amount: number, timesFree = this.#timesFree): boolean {
    const shares = this.#sharesOf(holder);
    if (!this.#fits(shares, amount, timesFree)) return false;
    shares.user.amount += amount;
    shares.key.amount += amount;
    this.#taken += amount;
    return true;
  }

  /** Gives back what was taken. */
  give(holder: Holder, amount: number): void {
    if (amount === 0) return;
    const { user, key } = this.#sharesOf(holder);
    user.amount = Math.max(0, user.amount - amount);
    key.amount = Math.max(0, key.amount - amount);
    this.#taken -= amount;
  }

  #fits({ user, key }: Shares, amount: number, timesFree: number): boolean {
    const held = user.amount + key.amount + 2 * amount;
    return held <= 2 * timesFree * (this.#max - this.#taken);
  }

  #sharesOf({ ownerId, clientKey }: Holder): Shares {
    const last = this.#last;
    if (last?.clientKeyId === clientKey.id && last.ownerId === ownerId) return last;
    if (this.#users.size + this.#keys.size > this.#sharesMax) this.#forgetEmpty();
    const shares = {
      ownerId,
      clientKeyId: clientKey.id,
      user: shareOf(this.#users, ownerId),
      key: shareOf(this.#keys, clientKey.id),
    };
    this.#last = shares;
    return shares;
  }

  #forgetEmpty(): void {
    for (const shares of [this.#users, this.#keys]) {
      for (const [id, { amount }] of shares) if (amount === 0) shares.delete(id);
    }
    this.#sharesMax = EMPTY_SHARES_MAX + 2 * (this.#users.size + this.#keys.size);
  }
}

function shareOf(shares: Map<string, Share>, id: string): Share {
  let share = shares.get(id);
  if (share === undefined) shares.set(id, (share = { amount: 0 }));
  return share;
}
