import assert from "node:assert/strict";
import test from "node:test";
import { imagePrice } from "../core/image-price.js";
import { CATALOG_DATE_MS, outdatedPresets, presetModels, servicesOf } from "./preset-models.js";
import { findPreset, presetProviders, PROVIDER_PRESETS } from "./presets.js";
import { nextPriceChange, priceAt } from "./price-table.js";

test("the presets have exactly the documented addresses", () => {
  const address = Object.fromEntries(
    PROVIDER_PRESETS.map((preset) => [preset.slug, preset.baseUrl]),
  );
  const documented = {
    openai: "https://api.openai.com/v1",
    anthropic: "https://api.anthropic.com",
    google: "https://generativelanguage.googleapis.com",
    deepseek: "https://api.deepseek.com",
    zhipu: "https://open.bigmodel.cn/api/paas/v4",
    moonshot: "https://api.moonshot.cn/v1",
    baidu: "https://aip.baidubce.com",
    alibaba: "https://dashscope.aliyuncs.com/api/v1",
  };
  for (const [slug, url] of Object.entries(documented)) assert.equal(address[slug], url);
  for (const slug of ["mistral", "groq", "openrouter", "xai", "azure", "custom"]) {
    assert.ok(address[slug] !== undefined, slug);
  }
});

test("preset rows have stable, unique ids, and a placeholder address can reach nobody", () => {
  const providers = presetProviders(1);
  assert.equal(providers.find((each) => each.slug === "openai")?.id, "prv_openai");
  assert.equal(
    providers.some((each) => each.slug === "custom"),
    false,
  );
  for (const each of providers.filter((provider) => !provider.enabled)) {
    assert.match(each.baseUrl, /\.invalid$/);
  }
  const models = presetModels();
  assert.equal(new Set(models.map((model) => model.id)).size, models.length);
  const known = new Set(providers.map((provider) => provider.id));
  for (const model of models) {
    assert.ok(known.has(model.providerId), model.providerId);
    assert.match(model.id, /^mdl_[\w.~-]+$/);
    assert.ok(model.categories.length > 0, model.id);
  }
});

test("older vendor names find their preset", () => {
  assert.equal(findPreset("aliyun")?.slug, "alibaba");
  assert.equal(findPreset("Gemini")?.slug, "google");
  assert.equal(findPreset("nobody"), undefined);
});

test("the vendor manager's services select their models", () => {
  assert.deepEqual(servicesOf("prv_alibaba", "qwen-plus"), ["qwen"]);
  assert.deepEqual(servicesOf("prv_alibaba", "wanx-v1"), ["wanx"]);
  assert.deepEqual(servicesOf("prv_openai", "dall-e-3"), ["dalle"]);
  assert.deepEqual(servicesOf("prv_openai", "gpt-3.5-turbo"), ["gpt-3.5-turbo"]);
  assert.deepEqual(servicesOf("prv_openai", "gpt-4-turbo"), ["gpt-4"]);
  assert.deepEqual(servicesOf("prv_groq", "qwen/qwen3-32b"), []);
});

test("at least 33 labelled presets, and each provider with models has one default", () => {
  const models = presetModels();
  assert.ok(models.length >= 33);
  const labels = new Set(models.flatMap((model) => model.categories));
  for (const label of [
    "CHAT",
    "CODE",
    "LONG_CONTEXT",
    "MULTIMODAL",
    "ECONOMY",
    "IMAGE",
    "EMBEDDING",
  ]) {
    assert.ok(labels.has(label as never), label);
  }
  for (const slug of [
    "openai",
    "anthropic",
    "google",
    "deepseek",
    "zhipu",
    "moonshot",
    "alibaba",
  ]) {
    const defaults = models.filter((each) => each.providerId === `prv_${slug}` && each.isDefault);
    assert.equal(defaults.length, 1, slug);
  }
});

test("prices are sound: ordered by date, never negative, and a long-context tier is complete", () => {
  for (const model of presetModels()) {
    const dates = model.prices.map((price) => price.effectiveFrom);
    assert.deepEqual(
      dates,
      dates.toSorted((a, b) => a - b),
      model.id,
    );
    for (const price of model.prices) {
      const { images = [], serviceTiers = [], ...amounts } = price;
      for (const value of Object.values(amounts)) assert.ok(value === null || value >= 0, model.id);
      for (const { micros } of images) assert.ok(micros > 0, model.id);
      for (const { percent } of serviceTiers) assert.ok(percent > 0, model.id);
      const tier = [price.longContextFrom, price.longContextInput, price.longContextOutput];
      assert.ok(
        tier.every((part) => part === null) || tier.every((part) => part !== null),
        model.id,
      );
    }
  }
});

test("what a model prices apart is in the catalogue, and no smaller than what it is part of is priced", () => {
  const priceOf = (provider: string, id: string) =>
    presetModels().find((each) => each.providerId === `prv_${provider}` && each.modelId === id)
      ?.prices[0];
  assert.equal(priceOf("openai", "whisper-1")?.audioHour, 360_000);
  assert.equal(priceOf("openai", "gpt-audio")?.audioOutput, 64_000_000);
  assert.equal(priceOf("google", "gemini-3-pro-image")?.imageOutput, 120_000_000);
  const sonnet = priceOf("anthropic", "claude-sonnet-4-5");
  assert.deepEqual(
    [sonnet?.longContextFrom, sonnet?.longContextCacheWrite, sonnet?.longContextCacheWriteLong],
    [200_000, 7_500_000, 12_000_000],
  );
  assert.equal(sonnet?.webSearches, 10_000_000);
  for (const { modelId, prices } of presetModels()) {
    for (const { cacheWrite, cacheWriteLong, input, audioInput } of prices) {
      assert.ok((cacheWriteLong ?? Infinity) >= (cacheWrite ?? 0), modelId);
      assert.ok((audioInput ?? Infinity) >= input, modelId);
    }
  }
});

test("models of images and sound are priced by what they make, or by their tokens", () => {
  // Voices that are spoken with over WebSockets are not asked here.
  const models = presetModels().filter(
    ({ categories, modelId }) =>
      ["IMAGE", "AUDIO"].some((each) => categories.includes(each as never)) &&
      !modelId.startsWith("grok-voice-"),
  );
  const unpriced = models.filter(({ prices }) => prices.length === 0).map(({ id }) => id);
  assert.deepEqual(unpriced, []);
  const free = models.filter(({ prices: [price] }) => {
    const { images = [], perImage = 0, audioHour = 0, speechCharacters = 0 } = price ?? {};
    const amounts = [price?.input, price?.output, perImage, audioHour, speechCharacters];
    return images.length === 0 && amounts.every((amount) => (amount ?? 0) === 0);
  });
  assert.deepEqual(free, []);
  const priceOf = (id: string) => models.find(({ modelId }) => modelId === id)?.prices[0];
  assert.equal(priceOf("tts-1-hd")?.speechCharacters, 30_000_000);
  assert.equal(priceOf("imagen-4.0-fast-generate-001")?.perImage, 20_000);
  const hd = { imageSize: "1024x1792", imageQuality: "hd" };
  assert.equal(imagePrice(priceOf("dall-e-3") ?? {}, hd), 120_000);
  assert.equal(imagePrice(priceOf("dall-e-3") ?? {}, {}), 40_000);
  assert.equal(priceOf("chatgpt-image-latest")?.imageOutput, 32_000_000);
  assert.equal(imagePrice(priceOf("dall-e-2") ?? {}, {}), 20_000);
});

test("a dated price holds from its date on", () => {
  const sol = presetModels().find((model) => model.modelId === "gpt-5.6-sol");
  assert.ok(sol !== undefined && sol.providerId === "prv_openai");
  const change = Date.UTC(2026, 7, 21);
  assert.equal(priceAt(sol.prices, change - 1)?.input, 5_000_000);
  assert.equal(priceAt(sol.prices, change)?.input, 4_000_000);
  assert.equal(nextPriceChange(sol.prices, change - 1), change);
  assert.equal(nextPriceChange(sol.prices, change), Infinity);
});

test("a start renews rows of an older catalogue and leaves edited ones alone", () => {
  const models = presetModels();
  const stored = new Map(models.map((model) => [model.id, model]));
  assert.deepEqual(outdatedPresets(stored), []);
  const [first, second, third] = models;
  assert.ok(first && second && third);
  stored.set(first.id, { ...first, updatedAt: CATALOG_DATE_MS - 86_400_000 });
  stored.set(second.id, {
    ...second,
    updatedAt: CATALOG_DATE_MS - 86_399_999,
    displayName: "ours",
  });
  stored.delete(third.id);
  assert.deepEqual(
    outdatedPresets(stored).map((model) => model.id),
    [first.id, third.id],
  );
});

test("a model of which only its row is known is labelled by its name, its abilities and its context", () => {
  const labels = new Map(presetModels().map((model) => [model.id, model.categories]));
  const told = {
    "mdl_openai_gpt-5.4-mini": ["CHAT", "REASONING", "MULTIMODAL", "LONG_CONTEXT", "ECONOMY"],
    "mdl_openai_gpt-5.3-codex-spark": ["CODE", "REASONING", "MULTIMODAL"],
    "mdl_openai_gpt-4-turbo": ["CHAT", "MULTIMODAL"],
    mdl_openai_curie: ["CHAT"],
    "mdl_openai_gpt-realtime-2": ["AUDIO"],
    "mdl_openai_text-embedding-ada-002": ["EMBEDDING"],
  };
  for (const [id, expected] of Object.entries(told)) assert.deepEqual(labels.get(id), expected, id);
});
