import { unreachable } from "../../core/assert.js";
import {
  type Estimate,
  NO_TOKENS,
  NOTHING_RESERVED,
  TOKENS_MAX,
  type TokenUsage,
  type UsageParts,
} from "../../core/call.js";
import type { Dialect, Route, RouteTarget } from "../../core/provider.js";
import type { BodyHead } from "../request/body-head.js";
import { type CallPlan, isForm } from "../route/call-plan.js";
import type { Endpoint } from "../route/endpoints.js";
import type { Match } from "../route/match.js";
import { imageToolIn, type Media, mediaTokens } from "./media-estimate.js";
import { pricedMedia } from "./media-used.js";
import type { CallSink } from "../ports.js";
import type { RequestHead } from "../request/request-head.js";

/** Typical for prose and JSON; only used where no provider has counted. */
export const BYTES_PER_TOKEN = 4;
/** An image inside a body weighs megabytes but costs a few thousand tokens. */
export const INPUT_TOKENS_MAX = 200_000;
/** Reserved where neither the caller nor the catalogue bounds the output. */
export const OUTPUT_TOKENS_DEFAULT = 4096;

/** What a caller can do to use less of what is made. */
const REMEDIES: Readonly<Record<Media, string>> = {
  IMAGES: "ask for fewer or smaller images or a lower quality",
  PREDICTION: "ask for fewer images",
  SPEECH: "send a shorter text",
  TRANSCRIPT: "send a shorter recording",
};
/** Where a call has no output. */
const LESS_TEXT = "send less text";

/** Of a plan what its estimate is made of. */
export interface PricedPlan extends Pick<CallPlan, "body" | "bodyHead"> {
  readonly targets: Route["targets"];
}

/** The worst case of a call, whichever target of its route serves it in the end, to be reserved before it is made. */
export function estimateOf(
  sink: CallSink,
  plan: PricedPlan,
  { match, head }: { readonly match: Match; readonly head: Pick<RequestHead, "contentType"> },
): Estimate {
  const { endpoint } = match;
  if (endpoint.makes !== undefined) {
    const { contentType } = head;
    const request = { body: plan.body, contentType, isForm: isForm(match, head) };
    const media = mediaTokens({ media: endpoint.makes, ...request }, inputTokens);
    return { ...estimateOfMedia(sink, plan, media), remedy: REMEDIES[endpoint.makes] };
  }
  if (endpoint.tokens === "NONE") return isFree(endpoint) ? FREE : NOTHING_RESERVED;
  const input = inputTokens(plan.body.length);
  const parts = askedApart(plan, endpoint);
  let maxOutputTokens = 0;
  let costMicros = 0;
  for (const target of plan.targets) {
    const output = endpoint.tokens === "IN" ? 0 : outputTokens(plan.bodyHead, target);
    const tokens = { input, output, cacheRead: 0, cacheWrite: 0, reasoning: 0 };
    const asked = parts !== undefined && reaches(endpoint, target) ? parts : undefined;
    const most = mostOf(sink, target, tokens, dearerParts(target, output, asked));
    maxOutputTokens = Math.max(maxOutputTokens, output);
    costMicros = Math.max(costMicros, most);
  }
  if (parts !== undefined) return { inputTokens: input, maxOutputTokens, costMicros, parts };
  if (endpoint.tokens !== "IN") return { inputTokens: input, maxOutputTokens, costMicros };
  return { inputTokens: input, maxOutputTokens, costMicros, remedy: LESS_TEXT };
}

/** What tokens cost at most, with and without what may make them dearer. */
function mostOf(
  sink: CallSink,
  target: RouteTarget,
  tokens: TokenUsage,
  parts: UsageParts | undefined,
): number {
  const cost = sink.cost(target, tokens) ?? 0;
  if (parts === undefined) return cost;
  const dearer =
    sink.cost(target, { ...tokens, parts }) ??
    // The images are of a model without a price.
    sink.cost(target, { ...tokens, parts: { ...parts, imageTool: undefined } });
  return Math.max(cost, dearer ?? 0);
}

/** What of a request makes it dearer: its service tier, and tools that make images. Undefined for nearly all. */
function askedApart({ body, bodyHead }: PricedPlan, { form }: Endpoint): UsageParts | undefined {
  const { serviceTier, tools } = bodyHead;
  const imageTool =
    tools === undefined || form !== "RESPONSES" ? undefined : imageToolIn(body, tools);
  if (serviceTier === undefined && imageTool === undefined) return undefined;
  return { serviceTier, imageTool };
}

/** What may make a call dearer than its tokens alone: what it asks for, and sound or images that the model may make. */
function dearerParts(
  { price }: RouteTarget,
  output: number,
  asked: UsageParts | undefined,
): UsageParts | undefined {
  const audio = price?.audioOutput ?? 0;
  const image = price?.imageOutput ?? 0;
  if (audio === 0 && image === 0) return asked;
  return audio > image ? { ...asked, audioOutput: output } : { ...asked, imageOutput: output };
}

/** Whether it is still in the request where that goes to the target: translations leave it out. */
export function reaches({ dialect, translates }: Endpoint, { provider }: RouteTarget): boolean {
  return provider.dialect === dialect || !translates;
}

const FREE: Estimate = { ...NOTHING_RESERVED, isFree: true };
const CANCELLATION = /[/:]cancel$/;

/** What was made is looked at, fetched, called off or removed, which has been paid for or saves money. */
function isFree({ method, path }: Endpoint): boolean {
  return method === "GET" || method === "DELETE" || CANCELLATION.test(path);
}

function estimateOfMedia(sink: CallSink, { targets }: PricedPlan, media: TokenUsage): Estimate {
  let most = NOTHING_RESERVED;
  for (const target of targets) {
    // What is paid by the hour, the image or the letter counts no tokens.
    const tokens = pricedMedia(target.price, media);
    // At a price by both, for the reply tells which of them counts.
    const costMicros = sink.cost(target, media) ?? 0;
    most = {
      inputTokens: Math.max(most.inputTokens, tokens.input),
      maxOutputTokens: Math.max(most.maxOutputTokens, tokens.output),
      costMicros: Math.max(most.costMicros, costMicros),
      parts: media.parts,
    };
  }
  return most;
}

/** As many as are asked for, else as the model can give, of each choice; whatever a caller writes, the sum is a number. */
function outputTokens(head: BodyHead, target: RouteTarget): number {
  const each = head.maxOutputTokens ?? target.maxOutput ?? OUTPUT_TOKENS_DEFAULT;
  return Math.min(each * head.choices, TOKENS_MAX);
}

/** Tokens of a call of which its provider told none. */
export function estimateTokens(
  endpoint: Endpoint,
  requestBytes: number,
  replyTextBytes: number,
): TokenUsage {
  if (endpoint.tokens === "NONE") return NO_TOKENS;
  const output = endpoint.tokens === "IN" ? 0 : Math.ceil(replyTextBytes / BYTES_PER_TOKEN);
  return { ...NO_TOKENS, input: inputTokens(requestBytes), output };
}

/** What an endpoint that counts tokens answers, estimated from the size of its request. */
export function countAnswer(dialect: Dialect, requestBytes: number): string {
  const tokens = inputTokens(requestBytes);
  switch (dialect) {
    case "OPENAI":
      return JSON.stringify({ object: "response.input_tokens", input_tokens: tokens });
    case "ANTHROPIC":
      return JSON.stringify({ input_tokens: tokens });
    case "GEMINI":
      return JSON.stringify({ totalTokens: tokens });
    default:
      return unreachable(dialect);
  }
}

function inputTokens(bytes: number): number {
  return Math.min(Math.ceil(bytes / BYTES_PER_TOKEN), INPUT_TOKENS_MAX);
}
