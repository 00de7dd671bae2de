import type { Model, Provider } from "../../core/provider.js";
import type { ModelReader } from "../ports.js";
import { modelsOf } from "./memory-counts.js";
import { listOf } from "./memory-list.js";

/** Reads models that are in memory. */
export function memoryModels(
  tables: () => {
    readonly models: ReadonlyMap<string, Model>;
    readonly providers: ReadonlyMap<string, Provider>;
  },
): ModelReader {
  const all = (): readonly Model[] => [...tables().models.values()];
  const ofProvider = (id: string): readonly Model[] =>
    all().filter(({ providerId }) => providerId === id);
  return {
    get: async (id) => tables().models.get(id),
    idsOf: async (providerId, modelIds) =>
      new Map(
        ofProvider(providerId)
          .filter(({ modelId }) => modelIds.includes(modelId))
          .map(({ modelId, id }) => [modelId, id]),
      ),
    ofProvider: async (id) => ofProvider(id),
    countByProvider: async (ids) => modelsOf(ids, all()),
    list: async (query) => {
      const withMaker = all().map((model) => {
        const createdBy = tables().providers.get(model.providerId)?.createdBy ?? null;
        return { ...model, createdBy };
      });
      const page = listOf(withMaker, query);
      return { ...page, items: page.items.flatMap(({ id }) => tables().models.get(id) ?? []) };
    },
    all: async () => all(),
  };
}
