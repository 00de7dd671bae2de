import assert from "node:assert/strict";
import test from "node:test";
import type { ClientKey, Principal } from "../core/client-key.js";
import { UNLIMITED } from "../core/limits.js";
import type { Clock } from "../core/clock.js";
import type { Fault } from "../core/fault.js";
import type { Logger } from "../core/logger.js";
import type { Model, Provider } from "../core/provider.js";
import { allowedRoute, modelAllowed } from "./allowlist.js";
import { Catalog, type CatalogContent } from "./catalog.js";
import { presetModels } from "./preset-models.js";
import { presetProviders } from "./presets.js";

const NOW = Date.UTC(2026, 10, 25);

class TestClock implements Clock {
  nowMs = NOW;
  now(): number {
    return this.nowMs;
  }
  monotonic(): number {
    return 0;
  }
  setTimer(): { cancel(): void } {
    return { cancel: () => {} };
  }
}

const logged: unknown[] = [];
const logger: Logger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: (fields) => void logged.push(fields),
};

function principal(ownerId = "usr_a", modelAllowlist: readonly string[] = []): Principal {
  const clientKey: ClientKey = {
    id: "ck_1",
    ownerId,
    kind: "STANDARD",
    format: "SK",
    mac: "",
    pepperVersion: 1,
    previousMac: null,
    graceUntil: null,
    sealedCopy: null,
    prefix: "sk-lk-0000",
    name: "test",
    description: "",
    enabled: true,
    revokedAt: null,
    expiresAt: null,
    modelAllowlist,
    ipAllowlist: [],
    scopes: [],
    limits: UNLIMITED,
    createdAt: 0,
    updatedAt: 0,
    rotatedAt: null,
    lastUsedAt: null,
    lastUsedIp: null,
    newAddressAt: null,
    usageCount: 0,
    version: 1,
  };
  return { clientKey, ownerId };
}

function custom(id: string, createdBy: string, patterns: readonly string[]): Provider {
  return {
    id,
    slug: id.replace("prv_", ""),
    displayName: id,
    baseUrl: "https://relay.example/v1",
    dialect: "OPENAI",
    authStyle: "BEARER",
    description: "",
    custom: true,
    createdBy,
    enabled: true,
    modelPatterns: patterns,
    createdAt: 1,
    updatedAt: 1,
  };
}

function catalog(extra: Partial<CatalogContent> = {}, clock: Clock = new TestClock()): Catalog {
  const made = new Catalog({ clock, logger });
  made.load({
    providers: [...presetProviders(0), ...(extra.providers ?? [])],
    models: [...presetModels(), ...(extra.models ?? [])],
    users: extra.users ?? [],
    settings: extra.settings ?? new Map(),
  });
  return made;
}

function served(made: Catalog, model: string, who = principal()): string[] {
  return made
    .resolve(model, who)
    .targets.map((each) => `${each.provider.slug}:${each.upstreamModel}`);
}

test("an exact id goes to its vendor first, with price and limits", () => {
  const route = catalog().resolve("gpt-4o", principal());
  const [first] = route.targets;
  assert.equal(first?.provider.slug, "openai");
  assert.equal(first?.upstreamModel, "gpt-4o");
  assert.equal(first?.price?.input, 2_500_000);
  assert.equal(first?.maxOutput, 16_384);
});

test("a new model of a family is routed, unpriced, without being listed", () => {
  const made = catalog();
  for (const [name, slug] of [
    ["gpt-9-nova", "openai"],
    ["o3-future", "openai"],
    ["claude-opus-9", "anthropic"],
    ["gemini-7-ultra", "google"],
    ["deepseek-v9", "deepseek"],
    ["glm-9", "zhipu"],
    ["kimi-k9", "moonshot"],
    ["qwen9-max", "alibaba"],
    ["wanx9-t2i", "alibaba"],
    ["codestral-9999", "mistral"],
    ["grok-9", "xai"],
    ["some-vendor/some-model", "openrouter"],
  ] as const) {
    const [first] = made.resolve(name, principal()).targets;
    assert.equal(first?.provider.slug, slug, name);
    assert.equal(first?.price, null, name);
    assert.equal(first?.upstreamModel, name);
  }
});

test("a dated snapshot that is not listed costs what its model costs", () => {
  const [first] = catalog().resolve("gpt-5-mini-2029-01-01", principal()).targets;
  assert.equal(first?.upstreamModel, "gpt-5-mini-2029-01-01");
  assert.ok(first?.price !== null);
});

test("no name by which a provider takes a listed model is without its price", () => {
  const made = catalog();
  for (const [name, listed] of [
    ["grok-4.6-latest", "grok-4.6"],
    ["qwen-plus-latest", "qwen-plus"],
    ["gpt-4-0613", "gpt-4"],
    ["gpt-3.5-turbo-0125", "gpt-3.5-turbo"],
    ["mistral-large-2411", "mistral-large"],
    ["google/models/gemini-2.5-pro", "gemini-2.5-pro"],
    ["gemini:models/gemini-2.5-pro", "gemini-2.5-pro"],
    ["openrouter/anthropic/claude-opus-5:nitro", "openrouter/anthropic/claude-opus-5"],
    ["anthropic/claude-opus-5.5:Online", "openrouter/anthropic/claude-opus-5.5"],
    ["openrouter/openai/gpt-5-2025-08-07:floor:online", "openrouter/openai/gpt-5"],
  ] as const) {
    const priceOf = (model: string, slug: string): unknown =>
      made.resolve(model, principal()).targets.find((each) => each.provider.slug === slug)?.price;
    const [slug = ""] = listed.includes("/")
      ? ["openrouter"]
      : (served(made, listed)[0]?.split(":") ?? []);
    assert.ok(priceOf(listed, slug), listed);
    assert.deepEqual(priceOf(name, slug), priceOf(listed, slug), name);
  }
  assert.equal(served(made, "google/models/gemini-2.5-pro")[0], "google:gemini-2.5-pro");
  // What is free there is another model.
  assert.equal(
    made.resolve("openrouter/anthropic/claude-opus-5:free", principal()).targets[0]?.price,
    null,
  );
});

test("naming the provider picks it: by slug, by older name, with slash or colon", () => {
  const made = catalog();
  assert.equal(served(made, "openai/gpt-4o")[0], "openai:gpt-4o");
  assert.equal(served(made, "aliyun:qwen-plus")[0], "alibaba:qwen-plus");
  assert.equal(served(made, "mistral/never-heard-of")[0], "mistral:never-heard-of");
  assert.equal(served(made, "openai/gpt-oss-120b")[0], "groq:openai/gpt-oss-120b");
  assert.equal(served(made, "models/gemini-2.5-flash")[0], "google:gemini-2.5-flash");
  assert.equal(served(made, "ft:gpt-4o:acme::x")[0], "openai:ft:gpt-4o:acme::x");
});

test("the vendor manager's service names answer with their model", () => {
  const made = catalog();
  assert.equal(served(made, "dalle")[0], "openai:dall-e-3");
  assert.equal(served(made, "qwen")[0], "alibaba:qwen-plus");
  assert.equal(served(made, "wanx")[0], "alibaba:wanx-v1");
  assert.equal(served(made, "gpt-3.5-turbo")[0], "openai:gpt-3.5-turbo");
  assert.equal(made.inService("prv_alibaba", "qwen", "qwen-max"), true);
  assert.equal(made.inService("prv_alibaba", "qwen", "qwen9-unlisted"), true);
  assert.equal(made.inService("prv_alibaba", "qwen", "wanx-v1"), false);
});

test("a private custom provider exists for its owner alone, an administrator's for everybody", () => {
  const made = catalog({
    providers: [custom("prv_mine", "usr_a", ["*"]), custom("prv_house", "usr_root", ["house-*"])],
    users: [{ id: "usr_root", role: "ADMIN" }],
  });
  assert.deepEqual(served(made, "anything-at-all", principal("usr_a")), ["mine:anything-at-all"]);
  assert.throws(() => made.resolve("anything-at-all", principal("usr_b")), {
    code: "model_not_found",
  });
  assert.deepEqual(served(made, "mine/gpt-4o", principal("usr_b")), ["openrouter:mine/gpt-4o"]);
  assert.deepEqual(served(made, "house-7", principal("usr_b")), ["house:house-7"]);
  made.applyChange({ seq: 1, kind: "user", id: "usr_root", value: null });
  assert.throws(() => made.resolve("house-7", principal("usr_b")), { code: "model_not_found" });
});

test("the specific goes before the general", () => {
  const made = catalog({
    providers: [custom("prv_any", "usr_a", ["*"]), custom("prv_gpts", "usr_a", ["gpt-5*"])],
  });
  const order = served(made, "gpt-5-mini", principal("usr_a"));
  assert.equal(order[0], "openai:gpt-5-mini");
  assert.equal(order.at(-1), "any:gpt-5-mini");
  assert.ok(order.indexOf("gpts:gpt-5-mini") < order.indexOf("any:gpt-5-mini"));
});

test("aliases replace and fallback chains add, also through each other, and a circle ends", () => {
  const settings = new Map([
    [
      "catalog.aliases",
      '{"smart": ["claude-opus-5", "gpt-5.4"], "a": "b", "b": "a", "cheap": "gpt-5-nano"}',
    ],
    ["catalog.fallbacks", '{"gpt-5-mini": ["cheap", "claude-haiku-4-5"], "claude-*": "gpt-5.4"}'],
  ]);
  const made = catalog({ settings });
  assert.deepEqual(
    served(made, "smart").filter((each) => !each.includes("/")),
    ["anthropic:claude-opus-5", "openai:gpt-5.4"],
  );
  assert.deepEqual(served(made, "gpt-5-mini"), [
    "openai:gpt-5-mini",
    "openai:gpt-5-nano",
    "anthropic:claude-haiku-4-5",
  ]);
  assert.deepEqual(served(made, "claude-opus-5"), ["anthropic:claude-opus-5", "openai:gpt-5.4"]);
  assert.throws(() => made.resolve("a", principal()), { code: "model_not_found" });
});

test("deployments of Azure's that have the names of OpenAI's models cost what these do, also where OpenAI is switched off", () => {
  const providers = presetProviders(0).map((each) => {
    return { ...each, enabled: each.slug === "azure" };
  });
  const made = catalog({ providers });
  const priceOf = (name: string) => made.resolve(name, principal()).targets[0]?.price;
  assert.equal(priceOf("dall-e-3")?.images?.[0]?.micros, 40_000);
  assert.equal(priceOf("gpt-image-1")?.output, 40_000_000);
  assert.equal(priceOf("gpt-4o-2029-01-01")?.input, 2_500_000);
  assert.equal(priceOf("azure/my-own"), null);
  assert.equal(made.resolve("gpt-4o", principal()).targets[0]?.listed, false);
  assert.equal(made.priceOf("prv_azure", "gpt-4o-2024-08-06")?.input, 2_500_000);
  assert.equal(made.priceOf("prv_openai", "gpt-image-1")?.output, 40_000_000);
  const [openais] = presetModels().filter(({ modelId }) => modelId === "gpt-4o");
  assert.ok(openais !== undefined);
  const unpriced = { ...openais, id: "mdl_own", providerId: "prv_azure", prices: [] };
  const own = catalog({ providers, models: [unpriced] });
  assert.equal(
    own.resolve("gpt-4o", principal()).targets[0]?.price,
    null,
    "as the administrator says",
  );
});

test("a change of a provider, model or setting is heard by the next look-up", () => {
  const made = catalog();
  assert.throws(() => made.resolve("fast", principal()), { code: "model_not_found" });
  made.applyChange({
    seq: 1,
    kind: "setting",
    id: "catalog.aliases",
    value: { id: "catalog.aliases", value: '{"fast": "gpt-5-mini"}' },
  });
  assert.equal(served(made, "fast")[0], "openai:gpt-5-mini");
  const [openai] = presetProviders(0);
  assert.ok(openai !== undefined);
  made.applyChange({
    seq: 2,
    kind: "provider",
    id: openai.id,
    value: { ...openai, enabled: false },
  });
  assert.throws(() => made.resolve("gpt-5-mini", principal()), { code: "model_not_found" });
  const known = logged.length;
  made.applyChange({
    seq: 3,
    kind: "setting",
    id: "catalog.aliases",
    value: { id: "catalog.aliases", value: "{" },
  });
  assert.equal(logged.length, known + 1);
});

test("a chain holds however its model is asked for, the narrowest pattern first, behind the model's own fallbacks", () => {
  const models = presetModels().map((model) =>
    model.modelId === "gpt-5" ? { ...model, fallbacks: ["o3", "no-such-model"] } : model,
  );
  const settings = new Map([
    ["catalog.aliases", '{"Fast": ["openai/gpt-5-mini"], "quick": "fast"}'],
    [
      "catalog.fallbacks",
      '{"*": "gpt-5-nano", "gpt-*": "claude-haiku-4-5", "gpt-5-mini": ["gpt-5-nano", "grok-4.5"]}',
    ],
  ]);
  const made = catalog({ settings, models });
  const chainOf = (name: string): readonly string[] =>
    made
      .resolve(name, principal())
      .targets.slice(made.ownTargets(name, principal()))
      .map((target) => target.upstreamModel);
  for (const name of ["gpt-5-mini", "GPT-5-mini", "openai/gpt-5-mini", "FAST", "quick"]) {
    assert.deepEqual(chainOf(name).slice(0, 2), ["gpt-5-nano", "grok-4.5"], name);
  }
  assert.equal(chainOf("gpt-4o")[0], "claude-haiku-4-5");
  assert.deepEqual(chainOf("gpt-5").slice(0, 2), ["o3", "claude-haiku-4-5"]);
  assert.equal(chainOf("unheard-of")[0], "gpt-5-nano");
  assert.deepEqual(made.lookUp("quikc"), { served: false, nearest: ["quick"] });
  assert.equal(made.lookUp("quick").served, true);

  const mini = models.find(({ modelId }) => modelId === "gpt-5-mini");
  assert(mini !== undefined);
  assert.deepEqual(made.rewritesOf(mini), {
    aliases: ["Fast", "quick"],
    fallbacks: ["gpt-5-nano", "grok-4.5"],
  });
});

test("an announced price takes effect at its date, though the resolution was cached before", () => {
  const clock = new TestClock();
  const made = catalog({}, clock);
  const before = made.resolve("gemini-3.8-flash", principal()).targets[0]?.price?.input;
  clock.nowMs = Date.UTC(2027, 0, 1);
  const after = made.resolve("gemini-3.8-flash", principal()).targets[0]?.price?.input;
  assert.deepEqual([before, after], [750_000, 1_500_000]);
});

test("where the clock was ahead for a while, the price that is in force counts again once it is right", () => {
  const clock = new TestClock();
  const made = catalog({}, clock);
  const input = () => made.resolve("gemini-3.8-flash", principal()).targets[0]?.price?.input;
  clock.nowMs = Date.UTC(2027, 0, 1);
  assert.equal(input(), 1_500_000);
  clock.nowMs = NOW;
  assert.equal(input(), 750_000);
});

test("an unknown model is refused with the names that look alike, and without echoing control characters", () => {
  const made = catalog();
  assert.throws(
    () => made.resolve("claud-opus-5", principal()),
    (fault: Fault) =>
      fault.code === "model_not_found" && fault.publicMessage.includes('"claude-opus-5"'),
  );
  assert.throws(
    () => made.resolve("\u001b[2Jxx", principal()),
    (fault: Fault) => !fault.publicMessage.includes("\u001b"),
  );
  assert.throws(() => made.resolve("x".repeat(5000), principal()), { code: "model_not_found" });
});

test("no provider is asked for a model that would climb in a path", () => {
  const made = catalog({ providers: [custom("prv_mine", "usr_a", ["*"])] });
  assert.equal(served(made, "mine/gpt..")[0], "mine:gpt..");
  for (const name of ["..", " .. ", "mine/..", "mine:..", "models/.."]) {
    assert.ok(!servedAnyhow(made, name).includes("mine:.."), name);
  }
  // Where it is not all of a name, nobody takes it for a place.
  assert.ok(served(made, "mine/..").includes("openrouter:mine/.."));
});

function servedAnyhow(made: Catalog, name: string): string[] {
  try {
    return served(made, name);
  } catch {
    return [];
  }
}

test("an allowlist names what was asked, the target, or a family, and a fallback must be named itself", () => {
  assert.equal(modelAllowed([], "x"), true);
  assert.equal(modelAllowed(["gpt-4o*"], "gpt-4o-mini"), true);
  const made = catalog({
    settings: new Map([["catalog.fallbacks", '{"gpt-5-mini": "claude-opus-5"}']]),
  });
  const route = made.resolve("gpt-5-mini", principal());
  assert.equal(route.targets.length, 2);
  assert.equal(made.ownTargets("gpt-5-mini", principal()), 1);
  assert.deepEqual(
    allowedRoute(["gpt-5-mini"], route)?.targets.map((target) => target.upstreamModel),
    ["gpt-5-mini"],
  );
  assert.equal(allowedRoute(["gpt-5-mini", "anthropic/*"], route)?.targets.length, 2);
  assert.equal(allowedRoute(["grok-*"], route), null);
  assert.equal(allowedRoute([], route), route);
});

test("the listing shows what the principal can use, once, and no images in a dialect without them", () => {
  const made = new Catalog({
    clock: new TestClock(),
    logger,
    hasKeys: (providerId) => providerId === "prv_openai",
  });
  made.load({
    providers: presetProviders(0),
    models: presetModels(),
    users: [],
    settings: new Map([["catalog.aliases", '{"fast": "gpt-5-mini"}']]),
  });
  const openai = made.visibleModels(principal(), "OPENAI").map((model) => model.id);
  assert.equal(new Set(openai).size, openai.length);
  assert.ok(openai.includes("gpt-4o") && openai.includes("dall-e-3") && openai.includes("fast"));
  assert.equal(openai.includes("claude-opus-5"), false);
  const anthropic = made.visibleModels(principal(), "ANTHROPIC").map((model) => model.id);
  assert.ok(anthropic.includes("gpt-4o") && !anthropic.includes("dall-e-3"));
  made.applyChange({
    seq: 1,
    kind: "setting",
    id: "catalog.aliases",
    value: { id: "catalog.aliases", value: '{"Fast": "gpt-5-mini", "far": "claude-opus-5"}' },
  });
  const aliases = made.visibleModels(principal(), "OPENAI").slice(-2);
  assert.equal(aliases[1]?.id, "Fast", "an alias without a key to serve it is not listed");
  assert.notEqual(aliases[0]?.id, "far");
  const allowed = made.visibleModels(principal("usr_a", ["gpt-5*"]), "OPENAI");
  assert.ok(allowed.length > 0 && allowed.every((model) => model.id.startsWith("gpt-5")));
});

test("a model that can be asked for is found by any of its names, and no other is", () => {
  const made = new Catalog({
    clock: new TestClock(),
    logger,
    hasKeys: (providerId) => providerId !== "prv_anthropic",
  });
  made.load({
    providers: [...presetProviders(0), custom("prv_own", "usr_a", ["my-*"])],
    models: presetModels(),
    users: [],
    settings: new Map([["catalog.aliases", '{"far": "claude-opus-5", "near": "gpt-5-mini"}']]),
  });
  const found = (id: string, who = principal()): string | undefined =>
    made.findModel(id, who, "OPENAI")?.providerSlug;
  assert.equal(found("gpt-4o"), "openai");
  assert.equal(made.findModel("gpt-4o", principal(), "OPENAI")?.displayName, "GPT-4o");
  assert.equal(found("own/my-model"), "own");
  assert.equal(found("near"), "latchkey");
  assert.equal(found("my-model"), "own");
  assert.equal(found("my-model", principal("usr_b")), undefined);
  assert.equal(found("my-model", principal("usr_a", ["gpt-*"])), undefined);
  assert.equal(found("own/my-model", principal("usr_a", ["my-*"])), "own");
  for (const id of ["claude-opus-5", "far", "no-such-model", "gpt", ""]) {
    assert.equal(found(id), undefined, id);
  }
});

test("a look-up examines no more when there are many providers and models of others", () => {
  const providers: Provider[] = [];
  const models: Model[] = [];
  const [template] = presetModels();
  assert.ok(template !== undefined);
  for (let i = 0; i < 500; i++) {
    providers.push(custom(`prv_c${i}`, `usr_${i}`, ["*", `x${i}-*`]));
    models.push({ ...template, id: `mdl_${i}`, providerId: `prv_c${i}`, modelId: `private-${i}` });
  }
  const made = catalog({ providers, models });
  assert.deepEqual(served(made, "private-7", principal("usr_7")), ["c7:private-7"]);
  assert.equal(served(made, "gpt-4o", principal("usr_b")).length, 1);
});

test("calls without a model go to the providers of their dialect for which there are keys", () => {
  const made = new Catalog({
    clock: new TestClock(),
    logger,
    hasKeys: (providerId) => providerId === "prv_openai" || providerId === "prv_anthropic",
  });
  made.load({ providers: presetProviders(0), models: [], users: [], settings: new Map() });
  const slugs = (dialect: "OPENAI" | "ANTHROPIC"): string[] =>
    made.resolveAny(dialect, principal()).targets.map((target) => target.provider.slug);
  assert.deepEqual(slugs("OPENAI"), ["openai"]);
  assert.deepEqual(slugs("ANTHROPIC"), ["anthropic"]);
  assert.throws(() => made.resolveAny("GEMINI", principal()), { code: "model_not_found" });
});
