import type { TokenUsage } from "../core/call.js";
import type { Price } from "../core/provider.js";

/** No call has more tokens of one kind; what is above is a provider's mistake. */
export const TOKENS_MAX = 1_000_000_000;
/** Prices are per this many tokens. */
const TOKENS_PER_PRICE = 1_000_000;

/**
 * Token numbers that can be relied on: whole, not negative, at most `TOKENS_MAX`, and parts no larger
 * than what they are part of. Providers get each of these wrong now and then.
 */
export function soundTokens(tokens: TokenUsage): TokenUsage {
  const cacheRead = soundCount(tokens.cacheRead);
  const cacheWrite = Math.min(soundCount(tokens.cacheWrite), TOKENS_MAX - cacheRead);
  const reasoning = soundCount(tokens.reasoning);
  const input = Math.max(soundCount(tokens.input), cacheRead + cacheWrite);
  const output = Math.max(soundCount(tokens.output), reasoning);
  const same =
    input === tokens.input &&
    output === tokens.output &&
    cacheRead === tokens.cacheRead &&
    cacheWrite === tokens.cacheWrite &&
    reasoning === tokens.reasoning;
  return same ? tokens : { input, output, cacheRead, cacheWrite, reasoning };
}

/**
 * Cost of a call in micro-US-dollars, exact and then rounded up, so that a priced call that used a token
 * never costs 0 unless its price is 0; null when the model has no price, which is not the same as free.
 */
export function costOf(price: Price | null, usage: TokenUsage): number | null {
  if (price === null) return null;
  const tokens = soundTokens(usage);
  const rates = ratesFor(price, tokens.input);
  const parts: readonly (readonly [number, number])[] = [
    [tokens.input - tokens.cacheRead - tokens.cacheWrite, rates.input],
    [tokens.cacheRead, rates.cacheRead],
    [tokens.cacheWrite, rates.cacheWrite],
    [tokens.output, rates.output],
  ];
  let sum = 0;
  for (const [count, rate] of parts) sum += count * rate;
  if (sum <= Number.MAX_SAFE_INTEGER) return divideUp(sum);
  return exactCost(parts);
}

interface Rates {
  readonly input: number;
  readonly output: number;
  readonly cacheRead: number;
  readonly cacheWrite: number;
}

/** The long-context tier holds for the whole call once its input is above the limit. */
function ratesFor(price: Price, inputTokens: number): Rates {
  const long = price.longContextFrom !== null && inputTokens > price.longContextFrom;
  const input = soundRate(long ? (price.longContextInput ?? price.input) : price.input);
  const output = soundRate(long ? (price.longContextOutput ?? price.output) : price.output);
  const cacheRead = long ? price.longContextCacheRead : price.cacheRead;
  const cacheWrite = long ? price.longContextCacheWrite : price.cacheWrite;
  return {
    input,
    output,
    cacheRead: cacheRead === null ? input : soundRate(cacheRead),
    cacheWrite: cacheWrite === null ? input : soundRate(cacheWrite),
  };
}

function exactCost(parts: readonly (readonly [number, number])[]): number {
  let sum = 0n;
  for (const [count, rate] of parts) sum += BigInt(count) * BigInt(rate);
  const per = BigInt(TOKENS_PER_PRICE);
  return Number((sum + per - 1n) / per);
}

/** Exact up to 2^53, unlike a division followed by Math.ceil, whose quotient may have been rounded down. */
function divideUp(value: number): number {
  const rest = value % TOKENS_PER_PRICE;
  return (value - rest) / TOKENS_PER_PRICE + (rest > 0 ? 1 : 0);
}

function soundCount(value: number): number {
  // Written so that NaN, which is neither above nor below anything, becomes 0.
  if (!(value > 0)) return 0;
  return value >= TOKENS_MAX ? TOKENS_MAX : Math.floor(value);
}

function soundRate(value: number): number {
  if (!(value > 0)) return 0;
  return Math.min(Math.round(value), Number.MAX_SAFE_INTEGER);
}
