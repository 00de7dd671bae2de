import { nameApart } from "../../core/model-apart.js";
import { bounded } from "../../core/bytes.js";
import type { Principal } from "../../core/client-key.js";
import type { Route, RouteTarget } from "../../core/provider.js";
import { Fault } from "../../core/fault.js";
import { allowedRoute } from "../../catalog/allowlist.js";
import { BatchReading } from "./batch-reading.js";
import type { Endpoint } from "./endpoints.js";
import type { Match } from "./match.js";
import type { Passages } from "./passages.js";
import type { Router } from "../ports.js";
import type { LongScan } from "../../dialect/long-scan.js";
import { isOwnResponse } from "../../dialect/translate/responses/reply.js";
import {
  type BodyHead,
  type BodyMembers,
  headOfForm,
  headOfJson,
  longScan,
  type MemberSpans,
  modelTooLong,
  NO_BODY,
} from "../request/body-head.js";
import type { GatewayLimits } from "../limits.js";
import { modelsAgain, modelsBeside, modelsOfBatch } from "./named-models.js";
import { refuseInPool } from "./pool-things.js";
import type { RequestHead } from "../request/request-head.js";

/** So much of a model's name is said again where it is refused. */
const NAMED_CHARS_MAX = 100;

/** What a call asks for, and who can serve it. */
export interface CallPlan {
  readonly modelAsked: string;
  readonly route: Route;
  readonly streamed: boolean;
  readonly body: Buffer;
  readonly bodyHead: BodyHead;
  /** Whether a call that only counts tokens is answered with an estimate. */
  readonly estimated: "NEVER" | "AT_ONCE" | "WITHOUT_KEY";
  /** Keeps the calls of one session on one provider key; empty for none. */
  readonly affinity: string;
  /** Its stream may be asked for what it used. */
  readonly mayAskUsage: boolean;
  /** It goes without what a model thought, which its provider has refused. */
  readonly isThoughtless: boolean;
  /** What was read before of a long body that asks for a batch. */
  readonly batch: BatchReading | undefined;
}

/** What a request says that it wants, whether or not anything serves that. */
export interface Asked {
  /** As written, of any length; empty if it names no model. */
  readonly model: string;
  readonly streamed: boolean;
  readonly bodyHead: BodyHead;
}

/** What of the gateway a plan is made with. */
export interface PlanContext {
  readonly router: Router;
  readonly passages: Passages;
  readonly limits: Pick<GatewayLimits, "modelIdCharsMax">;
}

export interface PlanInput {
  readonly asked: Asked;
  readonly match: Match;
  readonly head: RequestHead;
  readonly query: string;
  readonly body: Buffer;
  readonly principal: Principal;
  readonly context: PlanContext;
  readonly batch: BatchReading | undefined;
}

/** Reads what the request asks for. `spans`: as `longScanOf` has found them. Throws Fault `malformed_request`. */
export function readAsked(
  match: Match,
  head: RequestHead,
  body: Buffer,
  spans?: MemberSpans,
): Asked {
  const { endpoint } = match;
  const bodyHead = readBodyHead(match, head, body, spans);
  return {
    model: match.model === "" ? (bodyHead.model ?? endpoint.modelDefault ?? "") : match.model,
    streamed: asksStream(endpoint, bodyHead),
    bodyHead,
  };
}

function asksStream({ streams }: Endpoint, { stream, eventsFormat }: BodyHead): boolean {
  if (streams === "BODY") return stream;
  return streams === "FORMAT" ? eventsFormat : streams === "ALWAYS";
}

/** Finds the route for what is asked. Throws Fault `invalid_argument`, `untranslatable` and whatever the router throws. */
export function planCall(input: PlanInput): CallPlan {
  const { match, head, body, principal, context } = input;
  const { router, limits } = context;
  const { endpoint } = match;
  const { model: modelAsked, streamed, bodyHead } = input.asked;
  if (modelAsked === "" && endpoint.model !== "NONE") {
    throw new Fault("invalid_argument", "The request must name a model.");
  }
  if (modelAsked.length > limits.modelIdCharsMax) throw modelTooLong();
  if (isOwnResponse(match.id)) throw keptHere();
  if (principal.clientKey.kind === "SUPER") refuseInPool(match, input.query, body);
  if (principal.clientKey.modelAllowlist.length > 0) allowNamed(input);
  const found =
    endpoint.model === "NONE"
      ? router.resolveAny(endpoint.dialect, principal)
      : routeOf(router, modelAsked, principal);
  const route = endpoint.counts ? ofOneModel(found) : found;
  const asked = endpoint.counts ? ofThoseThatCount(route, context.passages) : route;
  const served = asked && servable(asked, input, streamed);
  if (served === undefined && !endpoint.counts) throw untranslatable(route, endpoint);
  return {
    modelAsked,
    route: toldApart(served ?? route, endpoint),
    streamed,
    estimated: endpoint.counts ? estimatedOf(route, served) : "NEVER",
    body,
    bodyHead,
    affinity: affinityOf(principal, head, bodyHead.session),
    mayAskUsage: true,
    isThoughtless: false,
    batch: input.batch,
  };
}

/** At an endpoint that asks for no text a model is another to the pool. */
function toldApart(route: Route, { translates, model, path }: Endpoint): Route {
  if (translates || model === "NONE") return route;
  const targets = route.targets.map((target) => ({
    ...target,
    knownAs: nameApart(target.upstreamModel, path),
  }));
  return { ...route, targets };
}

/** Batches name their models themselves, and other requests may name some beside their own. Throws Fault `model_not_allowed`. */
function allowNamed(input: PlanInput): void {
  const { asked, match, head, body, principal } = input;
  const { router } = input.context;
  const { batch, method, model, modelDefault, billsUntold } = match.endpoint;
  if (modelDefault !== undefined && billsUntold && asked.bodyHead.model === undefined) {
    throw new Fault(
      "model_not_allowed",
      "Your client key allows some models only, so the request must name its model.",
    );
  }
  const isJson = model === "BODY" || (model === "FORM" && saysJson(head));
  const named = batch === undefined ? [] : (input.batch?.models() ?? modelsOfBatch(body, batch));
  const beside = isJson && method === "POST" ? modelsBeside(body) : [];
  const again = batch === undefined && model === "PATH" ? modelsAgain(body) : [];
  for (const each of [...named, ...beside, ...again]) routeOf(router, each, principal);
}

function routeOf(router: Router, model: string, principal: Principal): Route {
  const route = allowedRoute(principal.clientKey.modelAllowlist, router.resolve(model, principal));
  if (route !== null) return route;
  const name = bounded(model, NAMED_CHARS_MAX);
  throw new Fault("model_not_allowed", `Your client key does not allow the model "${name}".`);
}

/** Endpoints that take a form take JSON as well where the files are given by reference. */
export function isForm({ endpoint }: Match, head: Pick<RequestHead, "contentType">): boolean {
  return endpoint.model === "FORM" && !saysJson(head);
}

function saysJson({ contentType }: Pick<RequestHead, "contentType">): boolean {
  return /^application\/json/i.test(contentType);
}

function readBodyHead(
  match: Match,
  head: RequestHead,
  body: Buffer,
  spans: MemberSpans | undefined,
): BodyHead {
  const members = membersOf(match, head);
  if (members === "NONE" || (members === "CONVERSATION" && body.length === 0)) return NO_BODY;
  return members === "FORM" ? headOfForm(body, head.contentType) : headOfJson(body, members, spans);
}

/** For a long body of a batch whose requests stand in it; undefined for any other. */
export function batchReadingOf(
  { endpoint }: Match,
  body: Buffer,
  { clientKey }: Principal,
  stepBytes: number,
): BatchReading | undefined {
  const { batch, dialect } = endpoint;
  if (batch?.list === undefined) return undefined;
  const names = clientKey.modelAllowlist.length > 0;
  return new BatchReading(body, { batch, dialect }, names, stepBytes);
}

/** For a long body; undefined for one that is no JSON. */
export function longScanOf(match: Match, head: RequestHead, body: Buffer): LongScan | undefined {
  const members = membersOf(match, head);
  return members === "NONE" || members === "FORM" ? undefined : longScan(body, members);
}

function membersOf(match: Match, head: RequestHead): BodyMembers | "FORM" | "NONE" {
  const { endpoint } = match;
  if (endpoint.method !== "POST") return "NONE";
  if (isForm(match, head)) return "FORM";
  if (endpoint.isConversation) return match.id === "" ? "CONVERSATION" : "CHANGED_CONVERSATION";
  // Uploads name no model, and a cancellation has no body at all.
  if (endpoint.model === "NONE") return "NONE";
  return endpoint.model === "BODY" && endpoint.dialect === "GEMINI" ? "RESOURCE" : endpoint.dialect;
}

/**
 * What counts tokens counts those of the model that calls go to first, and not those of its fallbacks, nor of what has the
 * same name at a provider that takes any.
 */
function ofOneModel({ modelAsked, targets }: Route): Route {
  const same = targets.filter((target) => target.upstreamModel === targets[0]?.upstreamModel);
  const known = same.filter((target) => target.takesAny !== true);
  return { modelAsked, targets: known.length > 0 ? known : same };
}

/** Without the providers that have shown that they do not count; undefined where none is left. */
function ofThoseThatCount(route: Route, passages: Passages): Route | undefined {
  const targets = route.targets.filter((target) => !passages.lacksCounts(target));
  return targets.length === 0 ? undefined : { ...route, targets };
}

/** A model may be served, with a key, by providers that cannot be asked to count, and known to others without one. */
function estimatedOf(route: Route, served: Route | undefined): CallPlan["estimated"] {
  if (served === undefined) return "AT_ONCE";
  return served.targets.length < route.targets.length ? "WITHOUT_KEY" : "NEVER";
}

/** The route without the targets that cannot serve the endpoint; undefined if none can. */
function servable(route: Route, input: PlanInput, streamed: boolean): Route | undefined {
  for (const target of route.targets) {
    if (!isAsIs(target, input, streamed)) return asFarAsServable(route, input, streamed);
  }
  return route;
}

/** True for a target to which the caller's own words go. */
function isAsIs(target: RouteTarget, { match, context }: PlanInput, streamed: boolean): boolean {
  const passage = context.passages.to(match.endpoint, target, streamed);
  return passage !== undefined && passage.translator === undefined;
}

function asFarAsServable(route: Route, input: PlanInput, streamed: boolean): Route | undefined {
  const { match, context } = input;
  const { passages } = context;
  const { endpoint } = match;
  const { targets } = route;
  const left = targets.filter((target) => passages.to(endpoint, target, streamed) !== undefined);
  if (left.length === 0) return undefined;
  const first = asIsFirst(left, (target) => isAsIs(target, input, streamed));
  return { modelAsked: route.modelAsked, targets: first };
}

function untranslatable({ modelAsked, targets }: Route, { path, dialect }: Endpoint): Fault {
  const dialects = [...new Set(targets.map((target) => target.provider.dialect))].join(", ");
  const message =
    modelAsked === ""
      ? `You have keys for providers of the ${dialects} dialect only, and ${path} of the ${dialect} dialect cannot be translated.`
      : `The model "${modelAsked}" is served in the ${dialects} dialect only, and ${path} of the ${dialect} dialect cannot be translated. Ask for it with an SDK of its own dialect.`;
  return new Fault("untranslatable", message);
}

/** No provider has it, so none is asked for it, one key after the other. */
function keptHere(): Fault {
  return new Fault(
    "not_found",
    'This response was translated: a later request can name it in "previous_response_id", but it cannot be asked for.',
  );
}

/**
 * Nothing is lost where nothing is translated, so among targets of the same model these come first: of providers that have
 * the model, and then of those that take any name, since some of these answer to it with another model.
 */
function asIsFirst(
  targets: readonly RouteTarget[],
  isAsIs: (target: RouteTarget) => boolean,
): readonly RouteTarget[] {
  const models = [...new Set(targets.map((target) => target.upstreamModel))];
  const placeOf = (target: RouteTarget): number =>
    (target.takesAny === true ? 2 : 0) + (isAsIs(target) ? 0 : 1);
  // Sorting is stable: what the route gave first stays first within one place.
  return models.flatMap((model) =>
    targets
      .filter((target) => target.upstreamModel === model)
      .toSorted((one, other) => placeOf(one) - placeOf(other)),
  );
}

/** Keys of different callers never share a session, whatever they call it. */
function affinityOf(principal: Principal, head: RequestHead, own: string): string {
  const session = head.session === "" ? own : head.session;
  return session === "" ? "" : `${principal.clientKey.id}:${session}`;
}
