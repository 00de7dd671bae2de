import { inScope, type Principal, type Scope } from "../../core/client-key.js";
import { Fault } from "../../core/fault.js";

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
export function scopeOf(path: string): Scope {
  const found = SCOPE_PATHS.find(([pattern]) => pattern.test(path));
  if (found === undefined) throw new Error(`${path} belongs to no scope`);
  return found[1];
}

/** Throws Fault `scope_not_allowed` for a key that is restricted to other scopes. */
export function refuseOutOfScope({ clientKey }: Principal, scope: Scope | undefined): void {
  if (scope === undefined || inScope(clientKey, scope)) return;
  throw new Fault(
    "scope_not_allowed",
    `Your client key is for ${clientKey.scopes.join(", ")} and not for ${scope}; its owner can change its scopes.`,
  );
}
