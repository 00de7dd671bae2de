import type { TokenUsage } from "./call.js";
import { shareOfPrice } from "./price-share.js";
import type { Price } from "./provider.js";

/** Of the name of a tier. */
export const TIER_CHARS_MAX = 40;

/** What providers call the tier that everybody gets, which has the price itself. */
const ORDINARY: ReadonlySet<string> = new Set(["auto", "default", "on_demand", "standard"]);
/** Before the names of Google's. */
const PREFIX = /^(?:service_tier_|on_demand_)/;

/** What a tier costs where its price does not say: at OpenAI and Anthropic mostly twice as much. Others cost the same. */
const PERCENT_DEFAULT: ReadonlyMap<string, number> = new Map([
  ["fast", 200],
  ["priority", 200],
]);

/** A service tier as prices name it, whoever wrote it; undefined for the ordinary one, and for what names none. */
export function tierNamed(word: unknown): string | undefined {
  // First as it is written nearly always.
  if (typeof word !== "string" || ORDINARY.has(word) || word.length > TIER_CHARS_MAX)
    return undefined;
  const name = word.toLowerCase().replace(PREFIX, "");
  return name === "" || ORDINARY.has(name) ? undefined : name;
}

/** What was used, in a tier; as it is where that is the ordinary one, or nothing was used. */
export function inTier(used: TokenUsage, serviceTier: string | undefined): TokenUsage {
  const isNothing = used.input + used.output === 0 && used.parts === undefined;
  if (serviceTier === undefined || isNothing) return used;
  return { ...used, parts: { ...used.parts, serviceTier } };
}

/** The price of a model in a service tier. */
export function tierPrice(price: Price, tier: string): Price {
  const row = price.serviceTiers?.find((each) => each.tier === tier);
  const percent = row?.percent ?? PERCENT_DEFAULT.get(tier) ?? 100;
  return percent === 100 ? price : shareOfPrice(price, percent);
}
