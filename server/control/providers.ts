import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import type { ProviderSchema, ProviderService } from "../../proto/gen/latchkey/v1/providers_pb.js";
import type { Actor } from "../core/audit.js";
import type { Clock } from "../core/clock.js";
import type { Model, Provider } from "../core/provider.js";
import type { Models } from "../keys/models.js";
import type { Providers } from "../keys/providers.js";
import type { ModelRewrites } from "../keys/rewrites.js";
import { actorKey } from "./context.js";
import { createOnce, requestKey, type IdempotencyStore } from "./idempotency.js";
import { modelDraftOf, MODEL_FIELDS, modelMessage, type RewritesOf } from "./messages/models.js";
import {
  presetServices,
  PROVIDER_FIELDS,
  providerDraftOf,
  providerMessage,
  providerPatchOf,
} from "./messages/providers.js";
import { pageTokens, refuse } from "./messages/values.js";
import type { NameLookup } from "./names.js";
import { toPageQuery } from "./page-query.js";
import { rewritesPart } from "./rewrites.js";
import { countsOf, type ProviderCountsDeps } from "./provider-counts.js";

export interface ProvidersDeps {
  readonly providers: Providers;
  readonly models: Models;
  readonly rewrites: ModelRewrites;
  readonly rewritesOf: RewritesOf;
  readonly idempotency: IdempotencyStore;
  readonly names: NameLookup;
  readonly clock: Clock;
  readonly counts: ProviderCountsDeps;
}

type Service = Partial<ServiceImpl<typeof ProviderService>>;

/** The upstream APIs and the models they serve. */
export function providersService(deps: ProvidersDeps): Service {
  return { ...providersPart(deps), ...modelsPart(deps), ...rewritesPart(deps) };
}

function providersPart(deps: ProvidersDeps) {
  const { providers, clock } = deps;
  const services = presetServices();
  const toMessages = async (
    page: readonly Provider[],
    actor: Actor,
  ): Promise<MessageInitShape<typeof ProviderSchema>[]> => {
    const ids = page.map((provider) => provider.id);
    const counts = await countsOf(deps.counts, actor, ids);
    return page.map((provider) => providerMessage(provider, counts.get(provider.id), services));
  };
  const toMessage = async (provider: Provider, actor: Actor) =>
    (await toMessages([provider], actor))[0];
  return {
    async createProvider(request, context) {
      const actor = context.values.get(actorKey);
      const draft = providerDraftOf(request);
      const provider = await createOnce(deps.idempotency, requestKey(context, request), {
        create: () => providers.create(actor, draft),
        read: (id) => providers.get(actor, id),
      });
      return { provider: await toMessage(provider, actor) };
    },
    async getProvider({ id }, context) {
      const actor = context.values.get(actorKey);
      return { provider: await toMessage(await providers.get(actor, id), actor) };
    },
    async listProviders(request, context) {
      const actor = context.values.get(actorKey);
      const page = await providers.list(actor, toPageQuery(request, PROVIDER_FIELDS, clock.now()));
      return {
        providers: await toMessages(page.items, actor),
        ...pageTokens(page),
      };
    },
    async updateProvider(request, context) {
      const actor = context.values.get(actorKey);
      refuseVersion(request.expectedVersion);
      const patch = providerPatchOf(request);
      const { provider } = await providers.update(actor, request.id, patch);
      return { provider: await toMessage(provider, actor) };
    },
    async deleteProvider({ id, expectedVersion }, context) {
      refuseVersion(expectedVersion);
      await providers.delete(context.values.get(actorKey), id);
      return {};
    },
  } satisfies Service;
}

function modelsPart(deps: ProvidersDeps) {
  const { models, clock, names, rewritesOf } = deps;
  const toMessage = (model: Model) =>
    modelMessage(model, { names, rewritesOf, nowMs: clock.now() });
  return {
    async listModels(request, context) {
      const query = toPageQuery(request, MODEL_FIELDS, clock.now());
      const page = await models.list(context.values.get(actorKey), query);
      return {
        models: page.items.map(toMessage),
        ...pageTokens(page),
      };
    },
    async upsertModels(request, context) {
      const stored = await models.upsert(
        context.values.get(actorKey),
        request.providerId,
        request.models.map((draft, i) => modelDraftOf(`models[${i}]`, draft)),
      );
      return { models: stored.map(toMessage) };
    },
    async deleteModels({ providerId, modelIds }, context) {
      const actor = context.values.get(actorKey);
      return { deletedModels: await models.delete(actor, providerId, modelIds) };
    },
  } satisfies Service;
}

/** Providers have no versions here, and a check that is not made must not be promised. */
function refuseVersion(expected: bigint): void {
  refuse("expected_version", expected !== 0n, "providers have no versions here; leave it out.");
}
