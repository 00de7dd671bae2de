import type { Holder } from "./client-key.js";

/**
 * Room for so much of something, such as bytes, that callers hold for a while. What a client key holds and what its user
 * holds with all of theirs may, on average, be as much as is left free. So one client key takes half of what there is, a
 * user with many of them two thirds, and there is room for others whatever they send.
 */
export class FairRoom {
  readonly #max: number;
  readonly #byUser = new Map<string, number>();
  readonly #byKey = new Map<string, number>();
  #taken = 0;

  constructor(max: number) {
    this.#max = max;
  }

  /** By all together. */
  get taken(): number {
    return this.#taken;
  }

  /** Takes so much if there is room. */
  mayTake({ ownerId, clientKey }: Holder, amount: number): boolean {
    const ofUser = (this.#byUser.get(ownerId) ?? 0) + amount;
    const ofKey = (this.#byKey.get(clientKey.id) ?? 0) + amount;
    if (ofUser + ofKey > 2 * (this.#max - this.#taken)) return false;
    this.#byUser.set(ownerId, ofUser);
    this.#byKey.set(clientKey.id, ofKey);
    this.#taken += amount;
    return true;
  }

  give({ ownerId, clientKey }: Holder, amount: number): void {
    if (amount === 0) return;
    subtract(this.#byUser, ownerId, amount);
    subtract(this.#byKey, clientKey.id, amount);
    this.#taken -= amount;
  }
}

function subtract(amounts: Map<string, number>, id: string, amount: number): void {
  const left = (amounts.get(id) ?? 0) - amount;
  if (left > 0) amounts.set(id, left);
  else amounts.delete(id);
}
