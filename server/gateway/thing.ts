import { fileNamedIn } from "../dialect/kept-ids.js";
import type { AttemptFailure } from "./attempt-failure.js";
import type { CallPlan } from "./call-plan.js";
import type { Homes } from "./homes.js";
import type { Match } from "./match.js";

/**
 * The id of what a call is about in a provider's account: named in its path, or what it goes on from, a file that its
 * body names, or the thing behind which a page of a list begins. Empty for none of them.
 */
export function thingOf(
  call: { readonly match: Match; readonly query: string; readonly context: { homes: Homes } },
  { bodyHead, body }: CallPlan,
): string {
  const { match, query, context } = call;
  if (match.id !== "") return match.id;
  if (bodyHead.from !== "") return bodyHead.from;
  // Nearly every server, and then nothing is worth a look.
  if (context.homes.isEmpty) return "";
  return match.endpoint.method === "GET" ? pageStart(query) : fileNamedIn(body);
}

/** That it is too large for its home, as a 429 may say, does not mean that it is not there. */
export function saysNoSuchThing({ outcome, httpStatus }: AttemptFailure): boolean {
  return outcome === "REQUEST_REFUSED" && [400, 403, 404].includes(httpStatus ?? 0);
}

function pageStart(query: string): string {
  if (query === "") return "";
  const asked = new URLSearchParams(query);
  return asked.get("after") ?? asked.get("after_id") ?? asked.get("before_id") ?? "";
}

/** What has an id, or works off a file, belongs to the account that made it, and each key may be of another. */
export function livesElsewhere({ id, endpoint }: Match, { httpStatus }: AttemptFailure): boolean {
  return httpStatus === 404 && (id !== "" || endpoint.namesFile);
}
