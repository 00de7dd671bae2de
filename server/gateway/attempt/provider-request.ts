import { HeaderBlock } from "../../http/header-block.js";
import { addAuth } from "../../upstream/auth.js";
import type { UpstreamRequest } from "../../upstream/flight.js";
import type { AdmittedCall } from "../admitted-call.js";
import { type CallPlan, isForm } from "../route/call-plan.js";
import type { Match } from "../route/match.js";
import { queryForProvider } from "../request/query-for-provider.js";
import type { RequestHead } from "../request/request-head.js";
import type { RoundTripOptions } from "./round-trip-options.js";

/** Replies are looked into here. */
const UNPACKED = "accept-encoding: identity\r\n";

/** How the OpenAI-compatible side of another provider wants the key. */
const COMPATIBLE = { authStyle: "BEARER", dialect: "OPENAI" } as const;

/** What goes to the provider: the caller's own request but for its address, its credential and what must differ. */
export function requestFor(trip: RoundTripOptions, plan: CallPlan, body: Buffer): UpstreamRequest {
  const { call, lease, passage, secret } = trip;
  const { head, match, principal, context } = call;
  const { limits } = context;
  const isTranslated = passage.translator !== undefined;
  const headers = isTranslated
    ? translatedHeaders(head, plan.streamed, passage.headers)
    : ownHeaders(call);
  headers.addOwn(UNPACKED);
  const auth = passage.compatible ? COMPATIBLE : lease.target.provider;
  addAuth(headers, secret, auth, head.hasAnthropicVersion && !isTranslated);
  return {
    method: match.endpoint.method,
    path: pathFor(trip, plan),
    headers,
    body: body.length === 0 ? null : body,
    headTimeoutMs: plan.streamed ? limits.streamHeadTimeoutMs : limits.wholeHeadTimeoutMs,
    holder: principal,
    // Of two batches the reply would tell one, and what the other uses would not be counted.
    once: match.endpoint.batch !== undefined,
  };
}

const JSON_TYPE = "application/json";
const PLAIN_JSON = /^application\/json[ \t]*(?:;[ \t]*charset="?utf-8"?[ \t]*)?$/i;

/**
 * The caller's own. What was read as JSON here must not be read as anything else there, whatever its head calls it: curl a
 * form, somebody a message of Google's or letters in another code, in which it names another model.
 */
function ownHeaders({ head, match }: AdmittedCall): HeaderBlock {
  const { contentType } = head;
  const isSo = contentType === JSON_TYPE || contentType === "" || PLAIN_JSON.test(contentType);
  if (isSo || !isReadAsJson(match, head)) return head.forward.copy();
  const headers = new HeaderBlock(`content-type: ${JSON_TYPE}\r\n`);
  for (const [name, value] of head.forward.pairs()) {
    if (name !== "content-type") headers.add(name, value);
  }
  return headers;
}

function isReadAsJson(match: Match, head: RequestHead): boolean {
  const { method, model, batch } = match.endpoint;
  if (method !== "POST") return false;
  return model === "NONE" ? batch !== undefined : !isForm(match, head);
}

/** Asks what became of a task that this call began; `path` as the provider said. */
export function followUpRequest(trip: RoundTripOptions, path: string): UpstreamRequest {
  const { call, lease, secret } = trip;
  const { paths, limits } = call.context;
  const { provider, upstreamModel } = lease.target;
  const headers = new HeaderBlock(`accept: application/json\r\n${UNPACKED}`);
  addAuth(headers, secret, provider, false);
  return {
    method: "GET",
    path: paths.of(provider, path, upstreamModel, ""),
    headers,
    body: null,
    headTimeoutMs: limits.streamHeadTimeoutMs,
    holder: call.principal,
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

function pathFor({ call, lease, passage }: RoundTripOptions, plan: CallPlan): string {
  const { provider, upstreamModel } = lease.target;
  const query = passage.query ?? queryForProvider(call.query);
  const model = upstreamModel === "" ? plan.modelAsked : upstreamModel;
  const path = fill(passage.path, call, model);
  return call.context.paths.of(provider, path, upstreamModel, query);
}

/** Puts the model that this target serves, and the ids that were asked for, into the row's path. */
function fill(path: string, { match }: AdmittedCall, model: string): string {
  if (!path.includes("{")) return path;
  const { id, item } = match;
  return path
    .replace("{model}", encodeURIComponent(model))
    .replace("{id}", id)
    .replace("{item}", item);
}
