import assert from "node:assert/strict";
import test from "node:test";
import { Secret } from "../core/secret.js";
import { lastEvent, refused, EVERYTHING, startWorld } from "./testing/world.js";

const custom = (displayName = "Mine", baseUrl = "https://api.mine.test/v1") => ({
  displayName,
  baseUrl,
});

test("the presets are there after the first start, and a second start adds nothing", async () => {
  const world = await startWorld();
  const { seedCatalog } = await import("./catalog-seed.js");
  assert.equal(
    world.store.tables.providers.get("prv_openai")?.baseUrl,
    "https://api.openai.com/v1",
  );
  assert.ok(world.store.tables.models.size > 30);
  assert.deepEqual(await seedCatalog(world), { providers: 0, models: 0 });
});

test("a start keeps what an admin edited, and leaves out a preset whose slug is taken", async () => {
  const world = await startWorld();
  const { seedCatalog } = await import("./catalog-seed.js");
  const preset = world.store.tables.providers.get("prv_groq");
  assert(preset !== undefined);
  world.store.tables.providers.delete("prv_groq");
  world.store.tables.providers.set("prv_x", { ...preset, id: "prv_x", custom: true });
  await world.models.upsert(world.root, "prv_openai", [
    { modelId: "gpt-4o", displayName: "Edited" },
  ]);
  assert.deepEqual(await seedCatalog(world), { providers: 0, models: 0 });
  const edited = [...world.store.tables.models.values()].find(
    ({ modelId }) => modelId === "gpt-4o",
  );
  assert.equal(edited?.displayName, "Edited");
});

test("a user's provider is the user's alone, an admin's is everybody's", async () => {
  const world = await startWorld();
  const own = await world.providers.create(world.alice, custom());
  const shared = await world.providers.create(world.root, custom("House", "https://house.test"));
  assert.equal(own.createdBy, world.alice.userId);
  assert.equal(shared.createdBy, null);
  const seenBy = async (actor: typeof world.alice) =>
    (await world.providers.list(actor, EVERYTHING)).items.map((each) => each.id);
  assert.ok((await seenBy(world.alice)).includes(own.id));
  assert.ok((await seenBy(world.alice)).includes(shared.id));
  assert.ok(!(await seenBy(world.bob)).includes(own.id));
  assert.ok((await seenBy(world.operator)).includes(own.id));
  await refused("not_found", () => world.providers.get(world.bob, own.id));
  await refused("not_found", () => world.providers.update(world.bob, own.id, { enabled: false }));
  await refused("not_found", () => world.providers.delete(world.bob, own.id));
  await refused("permission_denied", () => world.providers.delete(world.bob, shared.id));
  assert.equal(lastEvent(world).outcome, "DENIED");
  assert.equal((await world.providers.get(world.bob, shared.id)).id, shared.id);
});

test("a display name is taken once among what the caller can see", async () => {
  const world = await startWorld();
  await world.providers.create(world.alice, custom());
  const fault = await refused("already_exists", () =>
    world.providers.create(world.alice, custom("mine", "https://other.test")),
  );
  assert.match(fault.publicMessage, /服务商名称已存在/);
  await refused("already_exists", () => world.providers.create(world.bob, custom("OpenAI")));
  const ofBob = await world.providers.create(world.bob, custom());
  assert.equal(ofBob.slug, "mine-2");
});

test("slugs come from the name, or are given and free", async () => {
  const world = await startWorld();
  const slug = async (displayName: string, asked?: string): Promise<string> =>
    (
      await world.providers.create(world.alice, {
        ...custom(displayName),
        slug: asked,
      })
    ).slug;
  assert.equal(await slug("My Own  LLM!"), "my-own-llm");
  assert.equal(await slug("通义千问"), "custom");
  assert.equal(await slug("百川"), "custom-2");
  assert.equal(await slug("x", "my-slug"), "my-slug");
  await refused("already_exists", () => slug("y", "openai"));
  await refused("invalid_argument", () => slug("z", "Not A Slug"));
});

test("base URLs that are none, or carry more than an address, are refused", async () => {
  const world = await startWorld();
  for (const url of [
    "",
    "api.mine.test",
    "ftp://mine.test",
    "javascript:alert(1)",
    "https://user:pass@mine.test",
    "https://mine.test/#x",
    "https://mine.test./v1",
    "https://mine.test\\@evil.test",
    "https:// mine.test",
    `https://mine.test/${"a".repeat(255)}`,
  ]) {
    await refused("invalid_argument", () => world.providers.create(world.alice, custom("X", url)));
  }
  world.refusedUrls.add("https://metadata.test");
  await refused("base_url_not_allowed", () =>
    world.providers.create(world.alice, custom("X", "https://metadata.test/")),
  );
  const made = await world.providers.create(world.alice, custom());
  await refused("base_url_not_allowed", () =>
    world.providers.update(world.alice, made.id, { baseUrl: "https://metadata.test" }),
  );
});

test("the auth style follows the dialect unless said otherwise", async () => {
  const world = await startWorld();
  const made = await world.providers.create(world.alice, { ...custom(), dialect: "ANTHROPIC" });
  assert.equal(made.authStyle, "X_API_KEY");
  const azure = await world.providers.create(world.alice, { ...custom("A"), authStyle: "AZURE" });
  assert.equal(azure.dialect, "OPENAI");
  assert.equal(azure.authStyle, "AZURE");
});

test("of a preset only its switch can be changed, of a template its address too", async () => {
  const world = await startWorld();
  const off = await world.providers.update(world.root, "prv_openai", { enabled: false });
  assert.equal(off.provider.enabled, false);
  await refused("failed_precondition", () =>
    world.providers.update(world.root, "prv_openai", { baseUrl: "https://evil.test" }),
  );
  const baseUrl = "https://me.openai.azure.com";
  await world.providers.update(world.root, "prv_azure", { baseUrl, enabled: true });
  await refused("failed_precondition", () => world.providers.delete(world.root, "prv_openai"));
  await refused("permission_denied", () =>
    world.providers.update(world.alice, "prv_openai", { enabled: false }),
  );
});

test("a new path keeps all keys; a new origin binds the caller's own and withdraws the others", async () => {
  const world = await startWorld();
  const shared = await world.providers.create(world.root, custom("House", "https://house.test/v1"));
  const draft = (name: string, secret: string) => ({
    providerId: shared.id,
    name,
    secret: new Secret(secret),
  });
  const own = await world.providerKeys.create(world.root, draft("own", "secret-of-root"));
  const theirs = await world.providerKeys.create(world.alice, draft("a", "secret-of-alice"));
  const off = await world.providerKeys.create(world.alice, draft("off", "secret-that-is-off"));
  await world.providerKeys.disable(world.alice, off.id);

  const samePlace = await world.providers.update(world.root, shared.id, {
    baseUrl: "https://house.test/v2",
  });
  assert.deepEqual([samePlace.reboundKeys, samePlace.withdrawnKeys], [0, 0]);

  const moved = await world.providers.update(world.root, shared.id, {
    baseUrl: "https://elsewhere.test/v1",
  });
  assert.deepEqual([moved.reboundKeys, moved.withdrawnKeys], [1, 2]);
  const open = (id: string) => world.providerKeys.reveal(world.alice, id);
  assert.equal((await world.providerKeys.reveal(world.root, own.id)).reveal(), "secret-of-root");
  // Not even the bytes open at the new place, whatever the flags say.
  await refused("secret_unreadable", () => open(theirs.id));
  const withdrawn = await world.providerKeys.get(world.alice, theirs.id);
  assert.equal(withdrawn.enabled, false);
  assert.equal(withdrawn.health.state, "INVALID");
  for (const actor of [world.alice, world.root]) {
    await refused("failed_precondition", () => world.providerKeys.enable(actor, theirs.id));
  }
  const again = await world.providerKeys.rotate(
    world.alice,
    theirs.id,
    new Secret("secret-of-alice"),
  );
  assert.equal(again.enabled, true);
  assert.equal((await open(theirs.id)).reveal(), "secret-of-alice");
  const stillOff = await world.providerKeys.rotate(
    world.alice,
    off.id,
    new Secret("another-secret"),
  );
  assert.equal(stillOff.enabled, false);
  const actions = world.store.tables.audit.map((event) => event.action);
  assert.equal(actions.filter((action) => action === "provider_key.withdraw").length, 2);
  assert.equal(actions.filter((action) => action === "provider_key.rebind").length, 1);
});

test("a new origin needs an unlocked vault for the caller's own keys", async () => {
  const world = await startWorld();
  const own = await world.providers.create(world.alice, custom());
  const secret = new Secret("secret-of-alice");
  await world.providerKeys.create(world.alice, { providerId: own.id, name: "k", secret });
  world.vault.state = "LOCKED";
  await refused("vault_locked", () =>
    world.providers.update(world.alice, own.id, { baseUrl: "https://new.test" }),
  );
  assert.equal(world.store.tables.providers.get(own.id)?.baseUrl, custom().baseUrl);
});

test("a provider goes with its models, but not while it has keys", async () => {
  const world = await startWorld();
  const own = await world.providers.create(world.alice, custom());
  await world.models.upsert(world.alice, own.id, [{ modelId: "m-1" }]);
  const secret = new Secret("secret-of-alice");
  const key = await world.providerKeys.create(world.alice, {
    providerId: own.id,
    name: "k",
    secret,
  });
  await refused("failed_precondition", () => world.providers.delete(world.alice, own.id));
  await world.providerKeys.delete(world.alice, key.id);
  await world.providers.delete(world.alice, own.id);
  assert.equal(world.store.tables.providers.has(own.id), false);
  assert.ok(
    [...world.store.tables.models.values()].every(({ providerId }) => providerId !== own.id),
  );
});

test("models are added and replaced all or none, by who may change their provider", async () => {
  const world = await startWorld();
  const own = await world.providers.create(world.alice, custom());
  const price = {
    effectiveFrom: 5,
    input: 100,
    output: 200,
    cacheRead: null,
    cacheWrite: null,
    longContextFrom: null,
    longContextInput: null,
    longContextOutput: null,
    longContextCacheRead: null,
    longContextCacheWrite: null,
  };
  const [model] = await world.models.upsert(world.alice, own.id, [
    { modelId: "m-1", prices: [price, { ...price, effectiveFrom: 1 }], aliases: ["m", "m"] },
  ]);
  assert.equal(model?.displayName, "m-1");
  assert.deepEqual(model?.aliases, ["m"]);
  assert.deepEqual(
    model?.prices.map((each) => each.effectiveFrom),
    [1, 5],
  );
  const [again] = await world.models.upsert(world.alice, own.id, [{ modelId: "m-1" }]);
  assert.equal(again?.id, model?.id);
  const size = world.store.tables.models.size;
  for (const bad of [
    { modelId: "" },
    { modelId: "m-2" },
    { modelId: "x", contextWindow: -1 },
    { modelId: "x", prices: [{ ...price, input: -1 }] },
    { modelId: "x", prices: [price, price] },
    { modelId: "x", services: [""] },
  ]) {
    await refused("invalid_argument", () =>
      world.models.upsert(world.alice, own.id, [{ modelId: "m-2" }, bad]),
    );
  }
  assert.equal(world.store.tables.models.size, size);
  await refused("invalid_argument", () => world.models.upsert(world.alice, own.id, []));
  await refused("not_found", () => world.models.upsert(world.bob, own.id, [{ modelId: "x" }]));
  await refused("permission_denied", () =>
    world.models.upsert(world.alice, "prv_openai", [{ modelId: "x" }]),
  );
  const visible = await world.models.list(world.bob, EVERYTHING);
  assert.ok(visible.items.every(({ providerId }) => providerId !== own.id));
});

test("a deleted preset model is as it was delivered, another one is gone", async () => {
  const world = await startWorld();
  const find = (modelId: string) =>
    [...world.store.tables.models.values()].find(
      (model) => model.providerId === "prv_openai" && model.modelId === modelId,
    );
  const delivered = find("gpt-4o");
  await world.models.upsert(world.root, "prv_openai", [
    { modelId: "gpt-4o" },
    { modelId: "new-1" },
  ]);
  assert.notDeepEqual(find("gpt-4o"), delivered);
  const touched = await world.models.delete(world.root, "prv_openai", ["gpt-4o", "new-1", "none"]);
  assert.equal(touched, 2);
  assert.deepEqual(find("gpt-4o"), delivered);
  assert.equal(find("new-1"), undefined);
});
