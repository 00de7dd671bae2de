import type { Price } from "../core/provider.js";

/**
 * One price of the generated table: from when (milliseconds since the epoch), input, output, cache read,
 * cache write, and the long-context tier if there is one: from how many input tokens, then the same four.
 */
export type PriceCells =
  | readonly [number, number, number, number | null, number | null]
  | readonly [
      number,
      number,
      number,
      number | null,
      number | null,
      number,
      number | null,
      number | null,
      number | null,
      number | null,
    ];

/** Provider slug, model id, name, context window, largest output, abilities (`v` sees images, `r` reasons), prices. */
export type PriceRow = readonly [
  string,
  string,
  string,
  number | null,
  number | null,
  string,
  readonly PriceCells[],
];

/** A price of the generated table as the domain knows it. */
export function toPrice(cells: PriceCells): Price {
  const [effectiveFrom, input, output, cacheRead, cacheWrite] = cells;
  return {
    effectiveFrom,
    input,
    output,
    cacheRead,
    cacheWrite,
    longContextFrom: cells[5] ?? null,
    longContextInput: cells[6] ?? null,
    longContextOutput: cells[7] ?? null,
    longContextCacheRead: cells[8] ?? null,
    longContextCacheWrite: cells[9] ?? null,
  };
}

/** The price in force at a wall-clock time, or null before the first one and for unpriced models. */
export function priceAt(prices: readonly Price[], nowMs: number): Price | null {
  return prices.findLast((price) => price.effectiveFrom <= nowMs) ?? null;
}

/** When the next price begins, or infinity if none is announced. */
export function nextPriceChange(prices: readonly Price[], nowMs: number): number {
  return prices.find((price) => price.effectiveFrom > nowMs)?.effectiveFrom ?? Infinity;
}
