import type { ServiceImpl } from "@connectrpc/connect";
import type { ProviderService } from "../../proto/gen/latchkey/v1/providers_pb.js";
import type { ModelRewrites, Rewrite } from "../keys/rewrites.js";
import { actorKey } from "./context.js";
import { requiredKindOf, rewriteKindOf, rewriteMessage } from "./messages/rewrites.js";

/** The catalogue's aliases and fallback chains: a part of the provider service. */
export function rewritesPart({ rewrites }: { readonly rewrites: ModelRewrites }) {
  const toMessage = (rewrite: Rewrite) => rewriteMessage(rewrite, rewrites.unserved(rewrite));
  return {
    async getRewrites({ kind }, context) {
      const found = await rewrites.list(context.values.get(actorKey), rewriteKindOf(kind));
      return { rewrites: found.map(toMessage) };
    },
    async setRewrite({ kind, name, targets }, context) {
      const wanted = { kind: requiredKindOf(kind), name, targets };
      const rewrite = await rewrites.set(context.values.get(actorKey), wanted);
      return { rewrite: toMessage(rewrite) };
    },
    async deleteRewrite({ kind, name }, context) {
      const actor = context.values.get(actorKey);
      return { deleted: await rewrites.delete(actor, requiredKindOf(kind), name) };
    },
  } satisfies Partial<ServiceImpl<typeof ProviderService>>;
}
