import type { RouteTarget } from "./provider.js";

// A provider has "no such model" also for one that it does not serve at that endpoint, in the same words. Which model is asked
// for where is up to a caller, so what a key shows of a model is kept apart by endpoint, but for those that all ask for text.

/** Half a character, which is in no model's name: nobody can ask for a model that is called like another at an endpoint. */
const APART = "\udfff";

/** By which name the pool knows a model at an endpoint of its own. */
export function nameApart(model: string, endpoint: string): string {
  return model + APART + endpoint;
}

/** By which name the pool knows the model of a target. */
export function poolName(target: Pick<RouteTarget, "upstreamModel" | "knownAs">): string {
  return target.knownAs ?? target.upstreamModel;
}

/** The model of such a name. */
export function modelOfName(name: string): string {
  const at = name.indexOf(APART);
  return at < 0 ? name : name.slice(0, at);
}

/** Such a name as people read it. */
export function shownName(name: string): string {
  return name.replace(APART, " at ");
}
