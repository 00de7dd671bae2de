import { outdatedPresets } from "../catalog/preset-models.js";
import { presetProviders } from "../catalog/presets.js";
import { SYSTEM_ACTOR } from "../core/audit.js";
import type { Clock } from "../core/clock.js";
import type { Logger } from "../core/logger.js";
import type { KeysStore } from "./ports.js";

/** How many preset rows a start wrote. */
export interface SeededCatalog {
  readonly providers: number;
  readonly models: number;
}

/**
 * Writes the preset providers and models that are missing, and those of an older release that nobody has
 * changed. Everything that an admin edited stays.
 */
export async function seedCatalog(options: {
  store: KeysStore;
  clock: Clock;
  log: Logger;
}): Promise<SeededCatalog> {
  const { store, clock, log } = options;
  const known = await store.read.providers.all();
  const ids = new Set(known.map((provider) => provider.id));
  const slugs = new Set(known.map((provider) => provider.slug));
  const missing = presetProviders(clock.now()).filter((preset) => !ids.has(preset.id));
  const providers = missing.filter((preset) => !slugs.has(preset.slug));
  for (const preset of missing.filter((each) => slugs.has(each.slug))) {
    log.warn(
      { slug: preset.slug },
      "a custom provider has this preset's slug; the preset is left out",
    );
  }
  for (const provider of providers) ids.add(provider.id);
  const stored = new Map((await store.read.models.all()).map((model) => [model.id, model]));
  // A model that an admin added before a release knew it keeps its row.
  const added = new Set(
    [...stored.values()].map((model) => `${model.providerId} ${model.modelId}`),
  );
  const models = outdatedPresets(stored).filter(
    (model) =>
      ids.has(model.providerId) &&
      (stored.has(model.id) || !added.has(`${model.providerId} ${model.modelId}`)),
  );
  if (providers.length === 0 && models.length === 0) return { providers: 0, models: 0 };

  await store.write(async (tx) => {
    for (const provider of providers) {
      await tx.providers.insert(provider);
    }
    for (const model of models) {
      await tx.models.upsert(model);
    }
    await tx.audit.append({
      actor: SYSTEM_ACTOR,
      action: "model.seed",
      targetId: null,
      targetName: "presets",
      changedFields: ["providers", "models"],
      outcome: "OK",
      note: `${String(providers.length)} providers, ${String(models.length)} models`,
    });
  });
  return { providers: providers.length, models: models.length };
}
