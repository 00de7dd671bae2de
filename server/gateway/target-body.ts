import { hash } from "node:crypto";
import type { RouteTarget } from "../core/provider.js";
import type { StreamForm } from "../dialect/codec.js";
import { NAMED } from "../dialect/kept-ids.js";
import { withoutForeignThoughts } from "../dialect/translate/foreign-thoughts.js";
import { mayNameKept, withKeptItems } from "../dialect/translate/kept-items.js";
import type { CallInput } from "../dialect/translate/request-translation.js";
import type { WayBack } from "../dialect/translate/translator.js";
import type { AdmittedCall } from "./admitted-call.js";
import type { CallPlan } from "./call-plan.js";
import { renameInside, replaceModel, withUsageAsked } from "./edit-body.js";
import type { Endpoint } from "./endpoints.js";
import type { Passage } from "./passages.js";

/** The body for one target: the caller's own bytes, but for what must differ, or their translation. */
export interface TargetBody {
  readonly bytes: Buffer;
  /** The stream's usage was asked for by us, so the caller must not see it. */
  readonly usageAsked: boolean;
  /** The way back; undefined where nothing is translated. */
  readonly translation: WayBack | undefined;
}

/** Makes the body for a target. Throws Fault `untranslatable` with the name of what cannot be said there. */
export function bodyFor(
  call: AdmittedCall,
  plan: CallPlan,
  target: RouteTarget,
  passage: Passage,
): TargetBody {
  const { usageOption, summaryOption, passages } = call.context;
  const asksUsage = usageOption.asks(target.provider);
  const { translator } = passage;
  if (translator === undefined) return ownBody(call, plan, target, asksUsage);
  const request = {
    model: target.upstreamModel,
    maxOutput: target.maxOutput,
    providerSlug: target.provider.slug,
    asksUsage,
    session: sessionOf(plan),
    hidesThoughts: !summaryOption.asks(target.provider),
    toolsWithoutThought: passages.areToolsWithoutThought(target),
    dislikes: passages.dislikesOf(target),
  };
  const { body: bytes, ...translation } = translator.request(
    plan.body,
    request,
    inputOf(call, plan),
  );
  const usageAsked = asksUsage && plan.streamed && passage.form === "CHAT";
  return { bytes, usageAsked, translation };
}

/** For providers, who learn nothing of callers by it. The id of the response before is another with each turn. */
function sessionOf({ affinity, bodyHead }: CallPlan): string | undefined {
  const { from } = bodyHead;
  if (affinity === "" || (from !== "" && affinity.endsWith(from))) return undefined;
  return hash("sha256", affinity, "base64url");
}

/** The caller's own bytes, edited where they have to be. */
function ownBody(
  call: AdmittedCall,
  plan: CallPlan,
  target: RouteTarget,
  asksUsage: boolean,
): TargetBody {
  const { endpoint } = call.match;
  const { bodyHead } = plan;
  let bytes = plan.body;
  if (target.upstreamModel !== plan.modelAsked) {
    if (bodyHead.modelSpan !== undefined) {
      bytes = replaceModel(bytes, bodyHead, target.upstreamModel);
    } else if (endpoint.model === "PATH" && endpoint.form === "OTHER") {
      bytes = renameInside(bytes, plan.modelAsked, target.upstreamModel);
    }
  }
  const usageAsked = asksUsage && endpoint.asksUsage && plan.streamed && !bodyHead.usageDecided;
  if (usageAsked) bytes = withUsageAsked(bytes, bodyHead, plan.body.length);
  const form = requestForm(endpoint);
  if (form === "RESPONSES" && mayNameKept(bytes)) {
    bytes = withKeptItems(bytes, inputOf(call, plan).memory);
  }
  bytes = withoutForeignThoughts(bytes, form);
  return { bytes, usageAsked, translation: undefined };
}

/** What only counts tokens, or compacts, is asked as what would be made of them. */
function requestForm({ names, form }: Endpoint): StreamForm {
  if (names === NAMED.responses) return "RESPONSES";
  return names === NAMED.messages ? "MESSAGES" : form;
}

/** What a translator wants to know of a call besides its body. */
function inputOf(call: AdmittedCall, { streamed, modelAsked }: CallPlan): CallInput {
  const { context, id, match, query, principal } = call;
  const nowSeconds = Math.floor(context.clock.now() / 1000);
  const isResponses = match.endpoint.names === NAMED.responses;
  return {
    id,
    nowSeconds,
    streamed,
    modelAsked,
    asArray: asArray(match.endpoint, query),
    memory: isResponses ? context.responses.of(principal) : undefined,
  };
}

/** Gemini's callers get a stream as one JSON array unless they ask for events. */
export function asArray(endpoint: Endpoint, query: string): boolean {
  if (endpoint.form !== "GENERATE" || endpoint.streams !== "ALWAYS") return false;
  return new URLSearchParams(query).get("alt") !== "sse";
}
