import { TOKENS_MAX, type TokenUsage, type UsageParts } from "../core/call.js";
import { imagePrice } from "../core/image-price.js";
import type { Price } from "../core/provider.js";
import { tierPrice } from "../core/service-tier.js";

/** Prices are per this many tokens. */
const TOKENS_PER_PRICE = 1_000_000;
const CHARACTERS_PER_PRICE = 1_000_000;
const SECONDS_PER_HOUR = 3600;
const SEARCHES_PER_PRICE = 1000;

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
  if (same) return tokens;
  const { parts } = tokens;
  const sound = { input, output, cacheRead, cacheWrite, reasoning };
  return parts === undefined ? sound : { ...sound, parts };
}

/**
 * Cost of a call in micro-US-dollars, exact and then rounded up, so that a priced call that used a token
 * never costs 0 unless its price is 0; null when the model has no price, which is not the same as free.
 */
export function costOf(price: Price | null, usage: TokenUsage): number | null {
  if (price === null) return null;
  const tier = usage.parts?.serviceTier;
  return tier === undefined ? costAt(price, usage) : costAt(tierPrice(price, tier), usage);
}

function costAt(price: Price, usage: TokenUsage): number {
  const tokens = soundTokens(usage);
  const rates = ratesFor(price, tokens.input);
  const { parts } = tokens;
  const amounts =
    parts === undefined ? plainAmounts(tokens, rates) : amountsOf(tokens, parts, { price, rates });
  let sum = 0;
  for (const [count, rate] of amounts) sum += count * rate;
  const ofTokens =
    sum <= Number.MAX_SAFE_INTEGER ? divideUp(sum, TOKENS_PER_PRICE) : exactCost(amounts);
  return parts === undefined ? ofTokens : ofTokens + costOfOthers(price, parts);
}

/** So many tokens at this rate. */
type Amount = readonly [count: number, rate: number];

function plainAmounts(tokens: TokenUsage, rates: Rates): readonly Amount[] {
  return [
    [tokens.input - tokens.cacheRead - tokens.cacheWrite, rates.input],
    [tokens.cacheRead, rates.cacheRead],
    [tokens.cacheWrite, rates.cacheWrite],
    [tokens.output, rates.output],
  ];
}

/**
 * Each token once, at the rate of the narrowest part that it is in. Parts are cut to what is left of the
 * whole that they are in, so whatever a provider says the counts add up to its sums.
 */
function amountsOf(
  tokens: TokenUsage,
  parts: UsageParts,
  { price, rates }: { readonly price: Price; readonly rates: Rates },
): readonly Amount[] {
  const cached = new Share(tokens.cacheRead);
  const audioCached = cached.take(parts.audioCacheRead);
  const imageCached = cached.take(parts.imageCacheRead);
  const written = new Share(tokens.cacheWrite);
  const writtenLong = written.take(parts.cacheWriteLong);
  const fresh = new Share(tokens.input - tokens.cacheRead - tokens.cacheWrite);
  const audio = fresh.take((parts.audioInput ?? 0) - audioCached);
  const image = fresh.take((parts.imageInput ?? 0) - imageCached);
  const made = new Share(tokens.output);
  const audioMade = made.take(parts.audioOutput);
  const imageMade = made.take(parts.imageOutput);
  return [
    [fresh.left, rates.input],
    [audio, apart(price.audioInput, rates.input)],
    [image, apart(price.imageInput, rates.input)],
    [cached.left, rates.cacheRead],
    [audioCached, apart(price.audioCacheRead, rates.cacheRead)],
    [imageCached, apart(price.imageCacheRead, rates.cacheRead)],
    [written.left, rates.cacheWrite],
    [writtenLong, rates.cacheWriteLong],
    [made.left, rates.output],
    [audioMade, apart(price.audioOutput, rates.output)],
    [imageMade, apart(price.imageOutput, rates.output)],
  ];
}

/** A whole of which parts are taken, never more than there is. */
class Share {
  left: number;

  constructor(whole: number) {
    this.left = whole;
  }

  take(part: number | undefined): number {
    const taken = Math.min(soundCount(part ?? 0), this.left);
    this.left -= taken;
    return taken;
  }
}

/** What is counted in something else than tokens; each kind is rounded up by itself. */
function costOfOthers(price: Price, parts: UsageParts): number {
  const audio = soundCount(parts.audioSeconds ?? 0) * soundRate(price.audioHour ?? 0);
  const searches = soundCount(parts.webSearches ?? 0) * soundRate(price.webSearches ?? 0);
  const images = soundCount(parts.images ?? 0);
  const each = images === 0 ? 0 : soundRate(imagePrice(price, parts) ?? 0);
  const speech = soundCount(parts.characters ?? 0) * soundRate(price.speechCharacters ?? 0);
  return (
    images * each +
    divideUp(speech, CHARACTERS_PER_PRICE) +
    divideUp(audio, SECONDS_PER_HOUR) +
    divideUp(searches, SEARCHES_PER_PRICE)
  );
}

interface Rates {
  readonly input: number;
  readonly output: number;
  readonly cacheRead: number;
  readonly cacheWrite: number;
  readonly cacheWriteLong: number;
}

/** The long-context tier holds for the whole call once its input is above the limit. */
function ratesFor(price: Price, inputTokens: number): Rates {
  const long = price.longContextFrom !== null && inputTokens > price.longContextFrom;
  const input = soundRate(long ? (price.longContextInput ?? price.input) : price.input);
  const output = soundRate(long ? (price.longContextOutput ?? price.output) : price.output);
  const cacheRead = long ? price.longContextCacheRead : price.cacheRead;
  const given = long ? price.longContextCacheWrite : price.cacheWrite;
  const cacheWrite = apart(given, input);
  const { cacheWriteLong, longContextCacheWriteLong } = price;
  return {
    input,
    output,
    cacheRead: apart(cacheRead, input),
    cacheWrite,
    cacheWriteLong: apart(
      long ? (longContextCacheWriteLong ?? cacheWriteLong) : cacheWriteLong,
      cacheWrite,
    ),
  };
}

/** The rate of what is priced apart, else that of what it is part of. */
function apart(rate: number | null | undefined, otherwise: number): number {
  return rate === null || rate === undefined ? otherwise : soundRate(rate);
}

function exactCost(amounts: readonly Amount[]): number {
  let sum = 0n;
  for (const [count, rate] of amounts) sum += BigInt(count) * BigInt(rate);
  const per = BigInt(TOKENS_PER_PRICE);
  return Number((sum + per - 1n) / per);
}

/** Exact up to 2^53, unlike a division followed by Math.ceil, whose quotient may have been rounded down. */
function divideUp(value: number, by: number): number {
  const rest = value % by;
  return (value - rest) / by + (rest > 0 ? 1 : 0);
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
