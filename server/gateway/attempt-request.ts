import type { Holder } from "../core/client-key.js";
import type { RouteTarget } from "../core/provider.js";
import type { Secret } from "../core/secret.js";
import { HeaderBlock } from "../http/header-block.js";
import { addAuth } from "../upstream/auth.js";
import type { UpstreamRequest } from "../upstream/flight.js";
import type { CallPlan, TargetBody } from "./call-plan.js";
import type { EndpointPaths } from "./endpoint-path.js";
import type { GatewayLimits } from "./limits.js";
import type { Match } from "./match.js";
import type { Passage } from "./passages.js";
import type { RequestHead } from "./request-head.js";

export interface AttemptInput {
  readonly plan: CallPlan;
  readonly match: Match;
  readonly head: RequestHead;
  /** Without the caller's key; empty for none. */
  readonly query: string;
  readonly target: RouteTarget;
  readonly passage: Passage;
  readonly secret: Secret;
  readonly body: TargetBody;
  readonly paths: EndpointPaths;
  readonly limits: GatewayLimits;
  readonly holder: Holder;
}

/** Replies are looked into here. */
const UNPACKED = "accept-encoding: identity\r\n";

/** What goes to the provider: the caller's own request but for its address, its credential and what must differ. */
export function requestFor(input: AttemptInput): UpstreamRequest {
  const { plan, match, head, target, passage, limits } = input;
  const { provider } = target;
  const translated = passage.translator !== undefined;
  const headers = translated
    ? translatedHeaders(head, plan.streamed, passage.headers)
    : ownHeaders(input);
  headers.addOwn(UNPACKED);
  const auth = passage.compatible
    ? ({ authStyle: "BEARER", dialect: "OPENAI" } as const)
    : provider;
  addAuth(headers, input.secret, auth, head.hasAnthropicVersion && !translated);
  return {
    method: match.endpoint.method,
    path: pathFor(input),
    headers,
    body: input.body.bytes.length === 0 ? null : input.body.bytes,
    headTimeoutMs: plan.streamed ? limits.streamHeadTimeoutMs : limits.wholeHeadTimeoutMs,
    holder: input.holder,
  };
}

const JSON_TYPE = "application/json";
const FORM_TYPE = /^(?:multipart\/|application\/x-www-form-urlencoded)/i;

/** The caller's own. A body that was read as JSON here must not be read as a form there, whatever curl calls it. */
function ownHeaders({ head, plan }: AttemptInput): HeaderBlock {
  const { contentType } = head;
  const isForm = contentType !== JSON_TYPE && FORM_TYPE.test(contentType);
  if (plan.bodyHead.modelForm === "PLAIN" || !isForm) return head.forward.copy();
  const headers = new HeaderBlock(`content-type: ${JSON_TYPE}\r\n`);
  for (const [name, value] of head.forward.pairs()) {
    if (name !== "content-type") headers.add(name, value);
  }
  return headers;
}

/** Asks what became of a task that this call began. */
export function followUpRequest(
  path: string,
  input: Pick<AttemptInput, "target" | "secret" | "paths" | "limits" | "holder">,
): UpstreamRequest {
  const { provider, upstreamModel } = input.target;
  const headers = new HeaderBlock(`accept: application/json\r\n${UNPACKED}`);
  addAuth(headers, input.secret, provider, false);
  return {
    method: "GET",
    path: input.paths.of(provider, path, upstreamModel, ""),
    headers,
    body: null,
    headTimeoutMs: input.limits.streamHeadTimeoutMs,
    holder: input.holder,
  };
}

/** What a caller says of itself; all else in its head speaks of its own dialect. */
const TRANSLATED_HEADERS: ReadonlySet<string> = new Set(["user-agent", "http-referer", "x-title"]);

function translatedHeaders(head: RequestHead, streamed: boolean, added: string): HeaderBlock {
  const headers = new HeaderBlock(added);
  for (const [name, value] of head.forward.pairs()) {
    if (TRANSLATED_HEADERS.has(name)) headers.add(name, value);
  }
  const accept = streamed ? "text/event-stream" : "application/json";
  headers.addOwn(`content-type: application/json\r\naccept: ${accept}\r\n`);
  return headers;
}

function pathFor(input: AttemptInput): string {
  const { passage, target, paths } = input;
  const query = passage.query ?? input.query;
  return paths.of(target.provider, fill(passage.path, input), target.upstreamModel, query);
}

/** Puts the model that this target serves, and the ids that were asked for, into the row's path. */
function fill(path: string, input: AttemptInput): string {
  if (!path.includes("{")) return path;
  const model =
    input.target.upstreamModel === "" ? input.plan.modelAsked : input.target.upstreamModel;
  const { id, item } = input.match;
  return path
    .replace("{model}", encodeURIComponent(model))
    .replace("{id}", id)
    .replace("{item}", item);
}
