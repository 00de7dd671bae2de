import type { RouteTarget } from "../core/provider.js";
import type { Secret } from "../core/secret.js";
import { pushAuth } from "../upstream/auth.js";
import type { UpstreamRequest } from "../upstream/flight.js";
import type { CallPlan, TargetBody } from "./call-plan.js";
import type { EndpointPaths } from "./endpoint-path.js";
import type { GatewayLimits } from "./limits.js";
import type { Match } from "./match.js";
import type { RequestHead } from "./request-head.js";

export interface AttemptInput {
  readonly plan: CallPlan;
  readonly match: Match;
  readonly head: RequestHead;
  /** Without the caller's key; empty for none. */
  readonly query: string;
  readonly target: RouteTarget;
  readonly secret: Secret;
  readonly body: TargetBody;
  readonly paths: EndpointPaths;
  readonly limits: GatewayLimits;
}

/** What goes to the provider: the caller's own request but for its address, its credential and what must differ. */
export function requestFor(input: AttemptInput): UpstreamRequest {
  const { plan, match, head, target, limits } = input;
  const { provider } = target;
  const headers = [...head.forward, "accept-encoding", "identity"];
  const compatible = provider.dialect !== match.endpoint.dialect;
  const auth = compatible ? ({ authStyle: "BEARER", dialect: "OPENAI" } as const) : provider;
  pushAuth(headers, input.secret, auth, head.hasAnthropicVersion);
  return {
    method: match.endpoint.method,
    path: pathFor(input, compatible),
    headers,
    body: input.body.bytes.length === 0 ? null : input.body.bytes,
    headTimeoutMs: plan.streamed ? limits.streamHeadTimeoutMs : limits.wholeHeadTimeoutMs,
  };
}

function pathFor(input: AttemptInput, compatible: boolean): string {
  const { match, target, paths } = input;
  const { endpoint } = match;
  const path = fill(compatible ? (endpoint.geminiPath ?? endpoint.path) : endpoint.path, input);
  return paths.of(target.provider, path, target.upstreamModel, input.query);
}

/** Puts the model that this target serves, and the id that was asked for, into the row's path. */
function fill(path: string, input: AttemptInput): string {
  if (!path.includes("{")) return path;
  const model =
    input.target.upstreamModel === "" ? input.plan.modelAsked : input.target.upstreamModel;
  return path.replace("{model}", encodeURIComponent(model)).replace("{id}", input.match.id);
}
