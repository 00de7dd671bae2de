import { inScope, SCOPES, type Principal, type Scope } from "../core/client-key.js";
import { Fault } from "../core/fault.js";
import type { PresentedKey } from "../core/presented-key.js";
import type { GatewayContext } from "./context.js";
import type { Endpoint } from "./endpoints.js";
import type { Authenticator } from "./ports.js";

/** Which paths belong to which scope; the first that fits holds. */
const SCOPE_PATHS: readonly (readonly [RegExp, Scope])[] = [
  [/\/(files|batches|uploads|vector_stores|containers|skills)(\/|:|$)/, "files"],
  [/:(batchGenerateContent|asyncBatchEmbedContent)$/, "files"],
  [/\/(chat\/completions|completions|responses|conversations|messages)(\/|$)/, "chat"],
  [/\/cachedContents(\/|$)/, "chat"],
  [/:(generateContent|streamGenerateContent|countTokens)$/, "chat"],
  [/(\/embeddings$|:(embedContent|batchEmbedContents)$)/, "embeddings"],
  [/(\/images(\/|$)|:predict$)/, "images"],
  [/\/audio\//, "audio"],
  [/\/moderations$/, "moderations"],
];

/** What a client key must be allowed for an endpoint. */
export function scopeOf({ path }: Pick<Endpoint, "path">): Scope {
  const found = SCOPE_PATHS.find(([pattern]) => pattern.test(path));
  if (found === undefined) throw new Error(`${path} belongs to no scope`);
  return found[1];
}

/** The context for calls of an endpoint, in which keys that are restricted to other scopes are refused. */
export function scopedContexts(context: GatewayContext): (endpoint: Endpoint) => GatewayContext {
  const byScope = new Map<Scope, GatewayContext>();
  for (const scope of SCOPES) {
    const authenticator = scopedAuthenticator(context.authenticator, scope);
    byScope.set(scope, { ...context, authenticator });
  }
  const byEndpoint = new Map<Endpoint, GatewayContext>();
  return (endpoint) => {
    const known = byEndpoint.get(endpoint);
    if (known !== undefined) return known;
    const found = byScope.get(scopeOf(endpoint)) ?? context;
    byEndpoint.set(endpoint, found);
    return found;
  };
}

/** Throws Fault `scope_not_allowed` besides what the authenticator throws. */
function scopedAuthenticator(inner: Authenticator, scope: Scope): Authenticator {
  const scoped = (principal: Principal): Principal => {
    if (inScope(principal.clientKey, scope)) return principal;
    const allowed = principal.clientKey.scopes.join(", ");
    throw new Fault(
      "scope_not_allowed",
      `Your client key is for ${allowed} and not for ${scope}; its owner can change its scopes.`,
    );
  };
  return {
    authenticate(presented: PresentedKey, ip: string): Principal {
      return scoped(inner.authenticate(presented, ip));
    },
    renewed(principal: Principal, ip: string): Principal | undefined {
      const known = inner.renewed(principal, ip);
      return known === undefined ? undefined : scoped(known);
    },
    onInvalidated: (listener) => inner.onInvalidated(listener),
  };
}
