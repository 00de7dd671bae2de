import { type Estimate, NO_TOKENS, type TokenUsage, type UsageSource } from "../../core/call.js";
import { type LaterUsage, restOf } from "../../core/later-usage.js";
import type { Price } from "../../core/provider.js";
import { inTier } from "../../core/service-tier.js";
import type { StreamWatch } from "../../dialect/codec.js";
import { tierIn } from "../../dialect/told-tier.js";
import { textBytes } from "../../dialect/text-share.js";
import type { Endpoint } from "../route/endpoints.js";
import { estimateTokens } from "./estimate.js";
import { pricedMedia, type Shown, shownBy, usedMedia, withUntold } from "./media-used.js";

/** Tokens of a call and where their number comes from. */
export interface Counted {
  readonly tokens: TokenUsage;
  readonly usageSource: UsageSource;
}

export const NOT_COUNTED: Counted = { tokens: NO_TOKENS, usageSource: "NONE" };

/** What has to be known of a call to count what it used. */
export interface CountedCall {
  readonly endpoint: Endpoint;
  readonly requestBytes: number;
  /** What was set aside for it. */
  readonly reserved: Estimate;
  /** The service tier that its provider was asked for; undefined for the ordinary one. */
  readonly askedTier: string | undefined;
  /** Of the model that served it; null if it has none. */
  readonly price: Price | null;
  /** The response of an earlier call whose usage this call was told. */
  readonly later: LaterUsage | undefined;
}

/** A stream as its relay knows it. */
export interface CountedStream {
  readonly watch: StreamWatch;
  textBytes(): number;
}

/**
 * The part of a reply that has gone to the caller: tokens as the provider gave them by then, and bytes of text that may
 * not be among them.
 */
export interface ReplyPart {
  readonly given: TokenUsage | undefined;
  readonly textBytes: number;
}

/** Of a whole reply; `told` by the provider. */
export function countReply(
  call: CountedCall,
  reply: Buffer,
  given: TokenUsage | undefined,
): Counted {
  const told = withTierAnywhere(call, reply, given);
  const saidBytes = told === undefined ? textBytes(reply) : 0;
  const { makes } = call.endpoint;
  if (makes === undefined) return countTokens(call, told, saidBytes);
  return countMedia(call, told, saidBytes, shownIn(reply, makes));
}

/** Of a stream that came to its end. */
export function countStream(call: CountedCall, stream: CountedStream): Counted {
  const { watch } = stream;
  const told = withHiddenTier(call, watch);
  const saidBytes = told === undefined ? stream.textBytes() : 0;
  if (call.endpoint.makes === undefined) return countTokens(call, told, saidBytes);
  return countMedia(call, told, saidBytes, shownByStream(watch));
}

/** In the tier that the provider tells wherever in its reply, where one was asked for. */
function withTierAnywhere(
  { askedTier }: CountedCall,
  reply: Buffer,
  told: TokenUsage | undefined,
): TokenUsage | undefined {
  const isKnown = told?.parts?.serviceTier !== undefined;
  return told === undefined || askedTier === undefined || isKnown
    ? told
    : inTier(told, tierIn(reply));
}

/** As its provider tells; in the tier that was asked for where what it tells of that is lost. */
function withHiddenTier({ askedTier }: CountedCall, watch: StreamWatch): TokenUsage | undefined {
  const told = watch.usage();
  if (told === undefined || askedTier === undefined || watch.hidesTier?.() !== true) return told;
  return inTier(told, askedTier);
}

/** Of a reply of which a part has gone to the caller. */
export function countPart(call: CountedCall, part: ReplyPart): Counted {
  const given = ofThisCall(call, part.given);
  // What a part of a file or an image costs nobody says; mostly all of it has been made.
  if (call.endpoint.makes !== undefined) {
    return { tokens: media(call, given, () => reservedTokens(call)), usageSource: "PARTIAL" };
  }
  const guess = estimateTokens(call.endpoint, call.requestBytes, part.textBytes);
  // Providers tell the output tokens last. Before that, the estimate of what went by is the better number.
  const output = Math.max(given?.output ?? 0, guess.output);
  const tokens = { ...(given ?? guess), output };
  return {
    tokens: given === undefined ? inTier(tokens, call.askedTier) : tokens,
    usageSource: "PARTIAL",
  };
}

/** What was set aside, for a call of which nothing better is known. */
export function countReserved(call: CountedCall): Counted {
  const tokens = media(call, undefined, () => reservedTokens(call));
  return { tokens, usageSource: "ESTIMATED" };
}

/** Nothing was used, neither tokens nor anything that is priced apart. */
export function isNothing({ input, output, parts }: TokenUsage): boolean {
  return input + output === 0 && parts === undefined;
}

/** Of a complete reply: the provider's own, or ours where it gives none, from the bytes that the model said. */
function countTokens(call: CountedCall, told: TokenUsage | undefined, saidBytes: number): Counted {
  const given = ofThisCall(call, told);
  if (given !== undefined) return { tokens: given, usageSource: "PROVIDER" };
  const { endpoint, requestBytes } = call;
  if (endpoint.tokens === "NONE") return NOT_COUNTED;
  const guess = estimateTokens(endpoint, requestBytes, saidBytes);
  return { tokens: inTier(guess, call.askedTier), usageSource: "ESTIMATED" };
}

/** As `countTokens`, of what is made of something else than tokens, and of which the reply shows something. */
function countMedia(
  call: CountedCall,
  told: TokenUsage | undefined,
  saidBytes: number,
  shown: () => Shown,
): Counted {
  const tokens = media(call, told, () => {
    const { makes } = call.endpoint;
    const reserved = reservedTokens(call);
    return makes === undefined ? reserved : usedMedia(makes, reserved, shown(), saidBytes);
  });
  if (told !== undefined) return { tokens, usageSource: "PROVIDER" };
  return isNothing(tokens) ? NOT_COUNTED : { tokens, usageSource: "ESTIMATED" };
}

/** What was told, or else what was used, as the model is priced. */
function media(
  { price }: CountedCall,
  given: TokenUsage | undefined,
  used: () => TokenUsage,
): TokenUsage {
  return given === undefined ? pricedMedia(price, used()) : withUntold(given, price, used);
}

/** What was set aside, as what is used. */
function reservedTokens({ reserved }: CountedCall): TokenUsage {
  const { inputTokens: input, maxOutputTokens: output, parts } = reserved;
  return { ...NO_TOKENS, input, output, ...(parts === undefined ? {} : { parts }) };
}

/**
 * What of the usage in a reply is this call's. Where no model is asked, a reply may tell what an earlier call used,
 * and tells it again each time its response or batch is looked at. What was not counted yet counts once.
 */
function ofThisCall(
  { endpoint, later }: CountedCall,
  told: TokenUsage | undefined,
): TokenUsage | undefined {
  if (told === undefined || endpoint.model !== "NONE") return told;
  return later === undefined ? undefined : restOf(told, later.counted);
}

// On their own, for a function that makes a closure pays for it also where it is not made.

function shownIn(reply: Buffer, makes: NonNullable<Endpoint["makes"]>): () => Shown {
  return () => shownBy(makes, reply);
}

function shownByStream(watch: StreamWatch): () => Shown {
  return () => ({ lastsAtLeast: watch.spokenUntil?.() });
}
