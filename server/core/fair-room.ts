import type { Holder } from "./client-key.js";

/**
 * A bounded amount of something, such as bytes, that callers hold for a while. More is given as long as the average of
 * what the client key holds and what its user holds with all keys is no more than what is left free, or a few times that.
 * So one client key can take half of the whole, a user with many keys two thirds, and there is always room for others.
 */
export class FairRoom {
  readonly #max: number;
  readonly #timesFree: number;
  readonly #byUser = new Map<string, number>();
  readonly #byKey = new Map<string, number>();
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
  hasRoom({ ownerId, clientKey }: Holder, amount: number): boolean {
    const ofUser = (this.#byUser.get(ownerId) ?? 0) + amount;
    const ofKey = (this.#byKey.get(clientKey.id) ?? 0) + amount;
    return this.#fits(ofUser, ofKey);
  }

  /** Takes an amount if there is room for it; false if there is none. */
  mayTake({ ownerId, clientKey }: Holder, amount: number): boolean {
    const ofUser = (this.#byUser.get(ownerId) ?? 0) + amount;
    const ofKey = (this.#byKey.get(clientKey.id) ?? 0) + amount;
    if (!this.#fits(ofUser, ofKey)) return false;
    this.#byUser.set(ownerId, ofUser);
    this.#byKey.set(clientKey.id, ofKey);
    this.#taken += amount;
    return true;
  }

  /** Gives back what was taken. */
  give({ ownerId, clientKey }: Holder, amount: number): void {
    if (amount === 0) return;
    subtract(this.#byUser, ownerId, amount);
    subtract(this.#byKey, clientKey.id, amount);
    this.#taken -= amount;
  }

  #fits(ofUser: number, ofKey: number): boolean {
    return ofUser + ofKey <= 2 * this.#timesFree * (this.#max - this.#taken);
  }
}

function subtract(amounts: Map<string, number>, id: string, amount: number): void {
  const left = (amounts.get(id) ?? 0) - amount;
  if (left > 0) amounts.set(id, left);
  else amounts.delete(id);
}
