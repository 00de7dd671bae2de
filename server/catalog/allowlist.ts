import { allowedBy, globMatches } from "../core/glob.js";
import type { Route, RouteTarget } from "../core/provider.js";

/**
 * True when an allowlist (model ids, aliases, `provider/model` or globs; empty allows all) names the model
 * as it was asked for.
 */
export function modelAllowed(allowlist: readonly string[], model: string): boolean {
  return allowedBy(allowlist, model);
}

/**
 * The part of a route that an allowlist permits, or null when nothing is left. An entry that names the requested model
 * permits the targets that serve that very model, but not a more expensive one further along its fallback chain: such a
 * target must be named itself.
 */
export function allowedRoute(allowlist: readonly string[], route: Route): Route | null {
  if (allowlist.length === 0) return route;
  const namesAsked = allowedBy(allowlist, route.modelAsked);
  const first = route.targets[0]?.upstreamModel;
  const kept = route.targets.filter(
    (target) => (namesAsked && target.upstreamModel === first) || namesTarget(allowlist, target),
  );
  if (kept.length === 0) return null;
  return kept.length === route.targets.length ? route : { ...route, targets: kept };
}

function namesTarget(allowlist: readonly string[], target: RouteTarget): boolean {
  const qualified = `${target.provider.slug}/${target.upstreamModel}`;
  return allowlist.some(
    (pattern) => globMatches(pattern, target.upstreamModel) || globMatches(pattern, qualified),
  );
}
