import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Dialect } from "../../proto/gen/latchkey/v1/common_pb.js";
import {
  Model_Category,
  Model_Source,
  Provider_AuthStyle,
  Rewrite_Kind,
} from "../../proto/gen/latchkey/v1/providers_pb.js";
import { startControl } from "./harness.js";
import { refusal } from "./refusal.js";

const CUSTOM = { displayName: "Mine", baseUrl: "https://llm.example.com/v1" };

test("a user's custom provider is private, an admin's is everybody's", async (t) => {
  const control = await startControl(t);
  const [alice, bob] = [await control.as(control.alice), await control.as(control.bob)];
  const admin = await control.as(control.root);
  const requestId = randomUUID();
  const { provider: own } = await alice.providers.createProvider({ ...CUSTOM, requestId });
  assert.equal(own?.shared, false);
  assert.equal(own?.createdById, control.alice.userId);
  assert.equal(own?.slug, "mine");
  assert.equal(own?.dialect, Dialect.OPENAI);
  assert.equal(own?.authStyle, Provider_AuthStyle.BEARER);
  assert.deepEqual(own?.modelPatterns, ["*"]);
  await refusal("NOT_FOUND", bob.providers.getProvider({ id: own?.id ?? "" }));
  const ours = { ...CUSTOM, displayName: "Ours" };
  const { provider: shared } = await admin.providers.createProvider(ours);
  assert.equal(shared?.shared, true);
  const { providers } = await bob.providers.listProviders({ filter: "custom=true" });
  assert.deepEqual(
    providers.map((provider) => provider.slug),
    ["ours"],
  );
  await refusal("PERMISSION_DENIED", bob.providers.deleteProvider({ id: shared?.id ?? "" }));
});

test("a custom provider is changed by a mask, and deleted", async (t) => {
  const control = await startControl(t);
  const alice = await control.as(control.alice);
  const { provider } = await alice.providers.createProvider(CUSTOM);
  const id = provider?.id ?? "";
  const { provider: changed } = await alice.providers.updateProvider({
    id,
    updateMask: { paths: ["description", "model_patterns"] },
    description: "for tests",
  });
  assert.deepEqual([changed?.description, changed?.modelPatterns], ["for tests", []]);
  const versioned = { id, enabled: false, expectedVersion: 3n };
  await refusal("INVALID_ARGUMENT", alice.providers.updateProvider(versioned));
  await alice.providers.deleteProvider({ id });
  await refusal("NOT_FOUND", alice.providers.getProvider({ id }));
});

test("Azure's preset takes the address of a resource, with the version of its classic scheme", async (t) => {
  const control = await startControl(t);
  const admin = await control.as(control.root);
  const at = (query: string) =>
    admin.providers.updateProvider({
      id: "prv_azure",
      baseUrl: `https://name.openai.azure.com${query}`,
      enabled: true,
    });
  const { provider } = await at("?api-version=2024-10-21");
  assert.equal(provider?.baseUrl, "https://name.openai.azure.com?api-version=2024-10-21");
  for (const query of ["?key=sk-1", "?api-version=1&key=sk-1", "#part", "?a@b"]) {
    const { details } = await refusal("INVALID_ARGUMENT", at(query));
    assert.deepEqual(Object.keys(details.fields), ["base_url"], query);
  }
});

test("a dialect that this server does not speak is refused by name", async (t) => {
  const control = await startControl(t);
  const alice = await control.as(control.alice);
  const refused = await refusal(
    "INVALID_ARGUMENT",
    alice.providers.createProvider({
      displayName: "Scope",
      baseUrl: "https://llm.example.com",
      dialect: 4 as Dialect,
    }),
  );
  assert.deepEqual(Object.keys(refused.details.fields), ["dialect"]);
});

test("presets come with their services, models, labels and prices", async (t) => {
  const control = await startControl(t);
  const alice = await control.as(control.alice);
  const { providers } = await alice.providers.listProviders({ filter: "slug=openai" });
  const openai = providers[0];
  assert(openai !== undefined);
  assert.equal(openai.custom, false);
  assert.equal(openai.shared, true);
  const dalle = openai.services.find((service) => service.name === "dalle");
  assert.equal(dalle?.category, Model_Category.IMAGE);
  const { models } = await alice.providers.listModels({
    filter: "provider=openai model_id=gpt-4o",
  });
  const [model] = models;
  assert.equal(model?.providerSlug, "openai");
  assert.equal(model?.source, Model_Source.PRESET);
  assert(model?.categories.includes(Model_Category.CHAT));
  assert.equal(model?.contextWindowTokens, 128_000n);
  assert((model?.currentPrice?.inputMicrosPerMillion ?? 0n) > 0n);
});

test("a provider counts its models, and the keys that the caller may see", async (t) => {
  const control = await startControl(t);
  const [alice, bob] = [await control.as(control.alice), await control.as(control.bob)];
  const admin = await control.as(control.root);
  for (const [i, disabled] of [false, true].entries()) {
    const secret = `sk-one-of-two-012345678${i}`;
    const draft = { providerId: "prv_openai", secret, name: `key ${i}`, disabled };
    await alice.providerKeys.createProviderKey(draft);
  }
  const countsFor = async (api: typeof alice) => {
    const { provider } = await api.providers.getProvider({ id: "prv_openai" });
    assert((provider?.modelCount ?? 0) > 10);
    return [provider?.providerKeyCount, provider?.eligibleProviderKeyCount];
  };
  assert.deepEqual(await countsFor(alice), [2, 1]);
  assert.deepEqual(await countsFor(bob), [0, 0]);
  assert.deepEqual(await countsFor(admin), [2, 1]);
});

test("models are stored with dated prices; what cannot be kept is refused", async (t) => {
  const control = await startControl(t);
  const admin = await control.as(control.root);
  const providerId = "prv_openai";
  const price = { inputMicrosPerMillion: 150_000n, outputMicrosPerMillion: 600_000n };
  const { models } = await admin.providers.upsertModels({
    providerId,
    models: [
      {
        modelId: "gpt-next",
        categories: [Model_Category.CHAT, Model_Category.CODE],
        contextWindowTokens: 1_000_000n,
        fallbacks: ["gpt-4o", "anthropic/claude-opus-5"],
        prices: [
          { ...price, longContext: [{ aboveInputTokens: 200_000n, inputMicrosPerMillion: 1n }] },
          { ...price, effectiveTime: timestampFromMs(control.clock.now() + 1000), source: "admin" },
        ],
      },
    ],
  });
  const [model] = models;
  assert.equal(model?.displayName, "gpt-next");
  assert.equal(model?.source, Model_Source.ADMIN);
  assert.deepEqual(model?.fallbacks, ["gpt-4o", "anthropic/claude-opus-5"]);
  assert.equal(model?.prices.length, 2);
  assert.equal(model?.currentPrice?.longContext[0]?.aboveInputTokens, 200_000n);
  assert.equal(model?.currentPrice?.cacheReadMicrosPerMillion, undefined);

  const fieldsOf = async (part: object): Promise<string[]> => {
    const work = admin.providers.upsertModels({
      providerId,
      models: [{ modelId: "gpt-next", ...part }],
    });
    return Object.keys((await refusal("INVALID_ARGUMENT", work)).details.fields);
  };
  assert.deepEqual(await fieldsOf({ disabled: true }), ["models[0].disabled"]);
  assert.deepEqual(await fieldsOf({ categories: [Model_Category.VIDEO] }), [
    "models[0].categories[0]",
  ]);
  // Each in its own field, and back as it came.
  const amounts = {
    ...price,
    cacheWriteLongMicrosPerMillion: 1n,
    audioInputMicrosPerMillion: 2n,
    audioOutputMicrosPerMillion: 3n,
    audioCacheReadMicrosPerMillion: 4n,
    imageInputMicrosPerMillion: 5n,
    imageOutputMicrosPerMillion: 6n,
    imageCacheReadMicrosPerMillion: 7n,
    audioHourMicros: 8n,
    webSearchesMicrosPerThousand: 9n,
    perImageMicros: 12n,
    speechMicrosPerMillionCharacters: 13n,
  };
  const longContext = [{ aboveInputTokens: 10n, cacheWriteLongMicrosPerMillion: 11n }];
  const again = await admin.providers.upsertModels({
    providerId,
    models: [{ modelId: "gpt-next", prices: [{ ...amounts, longContext }] }],
  });
  const kept = again.models[0]?.currentPrice;
  for (const [name, micros] of Object.entries(amounts)) {
    assert.equal(kept?.[name as keyof typeof amounts], micros, name);
  }
  assert.equal(kept?.longContext[0]?.cacheWriteLongMicrosPerMillion, 11n);
  assert.deepEqual(kept?.imagePrices, []);
  // By what is made alone.
  const imagePrices = [
    { size: "1024x1024", quality: "", micros: 40_000n },
    { size: "", quality: "hd", micros: 0n },
  ];
  const byImage = await admin.providers.upsertModels({
    providerId,
    models: [{ modelId: "gpt-next", prices: [{ imagePrices }] }],
  });
  const { currentPrice } = byImage.models[0] ?? {};
  const rows = currentPrice?.imagePrices.map(({ size, quality, micros }) => {
    return { size, quality, micros };
  });
  assert.deepEqual(rows, imagePrices);
  assert.equal(currentPrice?.inputMicrosPerMillion, 0n);
  const twice = [...imagePrices, { size: "1024X1024", quality: "", micros: 1n }];
  assert.deepEqual(await fieldsOf({ prices: [{ imagePrices: twice }] }), [
    "models[0].prices[0].image_prices",
  ]);
  for (const row of [{ micros: -1n }, { size: "x".repeat(41) }, { quality: "a\u0007b" }]) {
    const [field = ""] = await fieldsOf({ prices: [{ imagePrices: [row] }] });
    assert.match(field, /^models\[0\]\.prices\[0\]\.image_prices/);
  }

  // And by service tier.
  const serviceTiers = [
    { tier: "priority", percent: 166.66667 },
    { tier: "flex", percent: 50 },
  ];
  const byTier = await admin.providers.upsertModels({
    providerId,
    models: [{ modelId: "gpt-next", prices: [{ ...price, serviceTiers }] }],
  });
  const tiers = byTier.models[0]?.currentPrice?.serviceTiers;
  assert.deepEqual(
    tiers?.map(({ tier, percent }) => ({ tier, percent })),
    serviceTiers,
  );
  const [flex = { tier: "flex", percent: 50 }] = serviceTiers;
  for (const rows of [
    [flex, flex],
    [{ tier: "default", percent: 50 }],
    [{ tier: "Flex", percent: 50 }],
    [{ tier: "flex", percent: -1 }],
    [{ tier: "flex", percent: 10_001 }],
    [{ tier: "flex", percent: Number.NaN }],
  ]) {
    const [field = ""] = await fieldsOf({ prices: [{ ...price, serviceTiers: rows }] });
    assert.match(field, /^models\[0\]\.prices\[0\]\.service_tiers/);
  }

  assert.deepEqual(await fieldsOf({ prices: [{ ...price, perCallMicros: 3n }] }), [
    "models[0].prices[0].per_call_micros",
  ]);
  assert.deepEqual(await fieldsOf({ prices: [{ inputMicrosPerMillion: 3n }] }), [
    "models[0].prices[0].output_micros_per_million",
  ]);
  const { deletedModels } = await admin.providers.deleteModels({
    providerId,
    modelIds: ["gpt-next", "never-was"],
  });
  assert.equal(deletedModels, 1);
});

test("aliases and fallback chains are set, seen beside their models, and refused by field", async (t) => {
  const control = await startControl(t);
  const [admin, alice] = [await control.as(control.root), await control.as(control.alice)];
  const { rewrite } = await admin.providers.setRewrite({
    kind: Rewrite_Kind.ALIAS,
    name: "fast",
    targets: ["gpt-4o-mini", "openai/gpt-4o"],
  });
  assert.deepEqual([rewrite?.name, rewrite?.unserved], ["fast", []]);
  await admin.providers.setRewrite({
    kind: Rewrite_Kind.FALLBACK,
    name: "gpt-4o*",
    targets: ["claude-opus-5"],
  });
  const rows = async (kind: Rewrite_Kind) =>
    (await alice.providers.getRewrites({ kind })).rewrites.map(({ name }) => name);
  assert.deepEqual(await rows(Rewrite_Kind.UNSPECIFIED), ["fast", "gpt-4o*"]);
  assert.deepEqual(await rows(Rewrite_Kind.FALLBACK), ["gpt-4o*"]);
  const shown = async () => {
    const { models } = await alice.providers.listModels({
      filter: "provider=openai model_id=gpt-4o",
    });
    return [models[0]?.catalogAliases, models[0]?.catalogFallbacks];
  };
  assert.deepEqual(await shown(), [["fast"], ["claude-opus-5"]]);

  const refusedFields = async (part: object): Promise<string[]> => {
    const whole = { kind: Rewrite_Kind.ALIAS, name: "smart", targets: ["gpt-4o"], ...part };
    const refused = await refusal("INVALID_ARGUMENT", admin.providers.setRewrite(whole));
    return Object.keys(refused.details.fields);
  };
  assert.deepEqual(await refusedFields({ kind: Rewrite_Kind.UNSPECIFIED }), ["kind"]);
  assert.deepEqual(await refusedFields({ name: "s*" }), ["name"]);
  assert.deepEqual(await refusedFields({ targets: ["gpt-4o", "fable-9"] }), ["targets[1]"]);
  assert.deepEqual(await refusedFields({ name: "gpt-4o-mini", targets: ["fast"] }), ["targets"]);

  const gone = { kind: Rewrite_Kind.ALIAS, name: "Fast" };
  assert.equal((await admin.providers.deleteRewrite(gone)).deleted, true);
  assert.equal((await admin.providers.deleteRewrite(gone)).deleted, false);
  assert.deepEqual(await shown(), [[], ["claude-opus-5"]]);
});
