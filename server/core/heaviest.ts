import type { Holder } from "./client-key.js";

/** The first thing of the client key with most things, among those of the user with most. */
export function firstOfHeaviest<T>(
  things: ReadonlyMap<T, { readonly holder: Holder }>,
): T | undefined {
  const holderOf = (thing: T): Holder | undefined => things.get(thing)?.holder;
  const id = heaviestKey(new Map([...things.keys()].map((thing) => [thing, 1])), holderOf);
  for (const [thing, { holder }] of things) if (holder.clientKey.id === id) return thing;
  return undefined;
}

/** The id of the client key whose things weigh most, among those of the user whose things weigh most. Things without a holder do not count. */
export function heaviestKey<T>(
  weights: ReadonlyMap<T, number>,
  holderOf: (thing: T) => Holder | undefined,
): string | undefined {
  const ownerId = heaviest(weights, (thing) => holderOf(thing)?.ownerId);
  return heaviest(weights, (thing) => {
    const holder = holderOf(thing);
    return holder?.ownerId === ownerId ? holder?.clientKey.id : undefined;
  });
}

/** The id with the largest sum; things of which `idOf` knows none do not count. */
function heaviest<T>(
  weights: ReadonlyMap<T, number>,
  idOf: (thing: T) => string | undefined,
): string | undefined {
  const sums = new Map<string, number>();
  for (const [thing, weight] of weights) {
    const id = idOf(thing);
    if (id !== undefined) sums.set(id, (sums.get(id) ?? 0) + weight);
  }
  let found: string | undefined;
  let most = 0;
  for (const [id, sum] of sums) {
    if (sum <= most) continue;
    found = id;
    most = sum;
  }
  return found;
}
