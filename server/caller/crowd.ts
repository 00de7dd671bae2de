/** A connection that nobody has shown a good key over. */
export interface Stranger {
  readonly ip: string;
  /** Of two the one with the smaller number was there first. */
  readonly serial: number;
}

/**
 * Which strangers give way where there are too many connections: those with most newer ones of the same address, so that
 * an address with few keeps them; of several the oldest, which has had its time.
 */
export function firstToGo<T extends Stranger>(
  strangers: readonly T[],
  count: number,
  ownerOf: (ip: string) => string,
): readonly T[] {
  const newerOf = new Map<string, number>();
  const ranked = strangers
    .toSorted((a, b) => b.serial - a.serial)
    .map((stranger) => {
      const owner = ownerOf(stranger.ip);
      const newer = newerOf.get(owner) ?? 0;
      newerOf.set(owner, newer + 1);
      return { stranger, newer };
    });
  return ranked
    .toSorted((a, b) => b.newer - a.newer || a.stranger.serial - b.stranger.serial)
    .slice(0, count)
    .map(({ stranger }) => stranger);
}
