import type { Principal } from "../core/client-key.js";
import type { Provider, Route, RouteTarget } from "../core/provider.js";
import { Fault } from "../core/fault.js";
import { allowedRoute } from "../catalog/allowlist.js";
import type { Match } from "./match.js";
import type { Router } from "./ports.js";
import { type BodyHead, headOfForm, headOfJson, NO_BODY } from "./body-head.js";
import { replaceModel, withUsageAsked } from "./edit-body.js";
import type { RequestHead } from "./request-head.js";

/** What a call asks for, and who can serve it. */
export interface CallPlan {
  readonly modelAsked: string;
  readonly route: Route;
  readonly streamed: boolean;
  readonly body: Buffer;
  readonly bodyHead: BodyHead;
  /** Keeps the calls of one session on one provider key; empty for none. */
  readonly affinity: string;
}

export interface PlanInput {
  readonly match: Match;
  readonly head: RequestHead;
  readonly body: Buffer;
  readonly principal: Principal;
  readonly router: Router;
  readonly modelIdCharsMax: number;
}

/**
 * Reads what the request asks for and finds its route. Throws Fault `malformed_request`,
 * `invalid_argument`, `untranslatable` and whatever the router throws.
 */
export function planCall(input: PlanInput): CallPlan {
  const { match, head, body, principal, router } = input;
  const { endpoint } = match;
  const bodyHead = readBodyHead(match, head, body);
  const modelAsked =
    match.model === "" ? (bodyHead.model ?? endpoint.modelDefault ?? "") : match.model;
  if (modelAsked === "" && endpoint.model !== "NONE") {
    throw new Fault("invalid_argument", "The request must name a model.");
  }
  if (modelAsked.length > input.modelIdCharsMax) {
    throw new Fault("invalid_argument", "The model id is too long.");
  }
  const route =
    endpoint.model === "NONE"
      ? router.resolveAny(endpoint.dialect, principal)
      : routeOf(router, modelAsked, principal);
  return {
    modelAsked,
    route: servable(route, match),
    streamed: endpoint.streams === "ALWAYS" || (endpoint.streams === "BODY" && bodyHead.stream),
    body,
    bodyHead,
    affinity: affinityOf(principal, head, match.id === "" ? bodyHead.session : match.id),
  };
}

function routeOf(router: Router, model: string, principal: Principal): Route {
  const route = allowedRoute(principal.clientKey.modelAllowlist, router.resolve(model, principal));
  if (route !== null) return route;
  throw new Fault("model_not_allowed", "Your client key does not allow this model.");
}

function readBodyHead(match: Match, head: RequestHead, body: Buffer): BodyHead {
  const { endpoint } = match;
  if (endpoint.method !== "POST") return NO_BODY;
  // Endpoints that take a form take JSON as well where the files are given by reference.
  if (endpoint.model === "FORM" && !/^application\/json/i.test(head.contentType)) {
    return headOfForm(body, head.contentType);
  }
  // Uploads name no model, and a cancellation has no body at all.
  if (endpoint.model === "NONE") return NO_BODY;
  return headOfJson(body, endpoint.dialect);
}

/** True when a provider serves this endpoint without translation. */
export function servesAsIs(provider: Provider, match: Match): boolean {
  const { endpoint } = match;
  if (provider.dialect === endpoint.dialect) return true;
  return provider.dialect === "GEMINI" && endpoint.geminiPath !== undefined;
}

/** The route without the targets that speak another language. */
function servable(route: Route, match: Match): Route {
  const { targets } = route;
  if (targets.every((target) => servesAsIs(target.provider, match))) return route;
  const left = targets.filter((target) => servesAsIs(target.provider, match));
  if (left.length > 0) return { modelAsked: route.modelAsked, targets: left };
  const dialects = [...new Set(targets.map((target) => target.provider.dialect))].join(", ");
  throw new Fault(
    "untranslatable",
    `The model "${route.modelAsked}" is served in the ${dialects} dialect only, and ${match.endpoint.path} is of the ${match.endpoint.dialect} dialect. Ask for it with an SDK of its own dialect.`,
  );
}

/** Keys of different callers never share a session, whatever they call it. */
function affinityOf(principal: Principal, head: RequestHead, own: string): string {
  const session = head.session === "" ? own : head.session;
  return session === "" ? "" : `${principal.clientKey.id}:${session}`;
}

/** The body for one target: the caller's own bytes, but for what must differ. */
export interface TargetBody {
  readonly bytes: Buffer;
  /** The stream's usage was asked for by us, so the caller must not see it. */
  readonly usageAsked: boolean;
}

/** Makes the body for a target. `askUsage`: the provider understands `stream_options`. */
export function bodyFor(
  plan: CallPlan,
  match: Match,
  target: RouteTarget,
  askUsage: boolean,
): TargetBody {
  const { bodyHead } = plan;
  const usageAsked =
    askUsage && match.endpoint.asksUsage && plan.streamed && !bodyHead.usageDecided;
  let bytes = plan.body;
  const rename = bodyHead.modelSpan !== undefined && target.upstreamModel !== plan.modelAsked;
  if (rename) bytes = replaceModel(bytes, bodyHead, target.upstreamModel);
  if (usageAsked) bytes = withUsageAsked(bytes, bodyHead, plan.body.length);
  return { bytes, usageAsked };
}
