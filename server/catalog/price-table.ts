import type { Price, PriceParts } from "../core/provider.js";

type Base = readonly [number, number, number, number | null, number | null];
type LongContext = readonly [number, number | null, number | null, number | null, number | null];

/**
 * One price of the generated table: from when (milliseconds since the epoch), input, output, cache read,
 * cache write, the long-context tier if there is one: from how many input tokens, then the same four; and
 * what is priced apart, if anything is.
 */
export type PriceCells =
  | Base
  | readonly [...Base, PriceParts]
  | readonly [...Base, ...LongContext]
  | readonly [...Base, ...LongContext, PriceParts];

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
  const [effectiveFrom, input, output, cacheRead, cacheWrite, ...more] = cells;
  const last = more.at(-1);
  const parts = typeof last === "object" && last !== null ? last : {};
  const tier = more.map((cell) => (typeof cell === "number" ? cell : null));
  return {
    effectiveFrom,
    input,
    output,
    cacheRead,
    cacheWrite,
    longContextFrom: tier[0] ?? null,
    longContextInput: tier[1] ?? null,
    longContextOutput: tier[2] ?? null,
    longContextCacheRead: tier[3] ?? null,
    longContextCacheWrite: tier[4] ?? null,
    ...parts,
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
