import { containerId, keptIds, namedIn, responseId } from "../../dialect/kept-ids.js";
import type { StreamWatch } from "../../dialect/codec.js";
import { redact } from "../../upstream/redact.js";
import type { AdmittedCall } from "../admitted-call.js";
import type { AttemptFailure } from "./attempt-failure.js";
import type { CallPlan } from "../route/call-plan.js";
import type { Keeps } from "../route/endpoints.js";
import type { ReplyHead } from "../reply/reply-head.js";
import type { RoundTrip } from "./round-trip.js";
import { uploadIn, uploadQuery } from "../request/uploads.js";

/** What a call is about in a provider's account, if anything, and what it leaves there. */
export class CallThing {
  readonly #call: AdmittedCall;
  /** Empty for none. */
  #id: string;
  /** What the reply names lives on in the provider's account. */
  readonly keeps: boolean;
  /** Its home said that it has no such thing, so other keys are asked. */
  #isLookedFor = false;

  constructor(call: AdmittedCall, plan: CallPlan) {
    this.#call = call;
    this.#id = thingOf(call, plan);
    this.keeps = isKept(call.match.endpoint.keeps, plan.bodyHead.store);
  }

  /** Id of the key whose account holds it; empty if that is not known, or it is not there any more. */
  get home(): string {
    if (this.#id === "" || this.#isLookedFor) return "";
    return this.#call.context.homes.of(this.#call.principal, this.#id);
  }

  /** A key failed with the request. True where another one may have the thing. */
  livesElsewhere(failure: AttemptFailure, { body }: CallPlan): boolean {
    const { httpStatus, detail } = failure;
    if (!saysNoSuchThing(failure)) return false;
    this.#isLookedFor = true;
    // `thingOf` does not look into the body as long as no home is known.
    if (this.#id === "") this.#id = namedIn(body, this.#call.match.endpoint.names)[0] ?? "";
    if (this.#id === "" || httpStatus === 404) return this.#id !== "";
    return detail.includes(this.#id) && MISSED.test(detail);
  }

  /** A whole reply came that was not translated. (What a translated call goes on from is kept in this server.) */
  learnReply(trip: RoundTrip, body: Buffer): void {
    const { form, codec } = trip.options.passage;
    const { dialect } = this.#call.match.endpoint;
    if (this.keeps) {
      const kept = form === "MESSAGES" ? codec.replyFacts(body).id : responseId(body);
      this.#learn(trip, form === "OTHER" ? keptIds(body, dialect) : [kept]);
    }
    const made = form === "MESSAGES" ? containerId(body) : "";
    this.#learn(trip, [this.#id, made]);
  }

  /** A stream ended, or was cut and may still be asked for. */
  learnStream(trip: RoundTrip): void {
    const { relay } = trip;
    const kept = this.keeps && relay !== undefined ? keptBy(relay.watch) : "";
    const made = relay?.watch.madeIn?.() ?? "";
    this.#learn(trip, [kept, made, relay?.begun === true ? this.#id : ""]);
  }

  /** An upload that has begun goes on through this server, and with the same key. */
  learnUpload(trip: RoundTrip, { uploadUrl, forward }: ReplyHead): void {
    const { context, match, principal, ip, origin } = this.#call;
    if (uploadUrl === "" || !match.endpoint.uploads || origin === undefined) return;
    const { lease, secret } = trip.options;
    const { path } = match.endpoint;
    const at = context.paths.of(lease.target.provider, path, "", "");
    const query = uploadQuery(redact(uploadUrl, secret), at);
    if (query === undefined) return;
    const upload = uploadIn(query);
    context.uploads.begin(upload, { principal, ip });
    this.#learn(trip, [upload]);
    forward.add("x-goog-upload-url", `${origin}${path}?${query}`);
  }

  #learn(trip: RoundTrip, ids: readonly string[]): void {
    const { context, principal } = this.#call;
    context.homes.learn(principal, ids, trip.options.lease.providerKey.id);
  }
}

/** The id under which the provider keeps what was streamed; of a message it need not be the first that is said. */
function keptBy(watch: StreamWatch): string {
  return watch.keptId === "" ? watch.facts().id : watch.keptId;
}

function isKept(keeps: Keeps, store: boolean | undefined): boolean {
  return keeps === "IF_ASKED" ? store === true : keeps === "UNLESS_DENIED" && store !== false;
}

/**
 * The id of what a call is about: what its path names, the upload that it continues, the thing after which a page of a
 * list begins, what it goes on from, or what else its body names. Of several the first whose home is known.
 */
function thingOf(
  { match, query, principal, context }: AdmittedCall,
  { bodyHead, body }: CallPlan,
): string {
  const { endpoint, id } = match;
  if (id !== "") return endpoint.idPrefix + id;
  // So it is on nearly every server; then there is nothing to look for.
  if (context.homes.isEmpty) return bodyHead.from;
  if (endpoint.uploads) return uploadIn(query);
  if (endpoint.method === "GET") return pageStart(query);
  const named = namedIn(body, endpoint.names);
  const all = bodyHead.from === "" ? named : [bodyHead.from, ...named];
  return all.find((each) => context.homes.of(principal, each) !== "") ?? all[0] ?? "";
}

/** As an error says with another status that there is no such thing. */
const MISSED = /not (?:be )?found|no such|does not exist/i;

/** Other statuses say something else, such as a 429 that the thing is too large. */
function saysNoSuchThing({ outcome, httpStatus }: AttemptFailure): boolean {
  return outcome === "REQUEST_REFUSED" && [400, 403, 404].includes(httpStatus ?? 0);
}

/** Names of the query parameter that says after which thing a page begins. */
const PAGE_STARTS = ["after", "after_id", "before_id", "page", "pageToken"];

function pageStart(query: string): string {
  if (query === "") return "";
  const asked = new URLSearchParams(query);
  const name = PAGE_STARTS.find((each) => asked.has(each));
  return name === undefined ? "" : (asked.get(name) ?? "");
}
