import assert from "node:assert/strict";
import test from "node:test";
import { Secret } from "../core/secret.js";
import { detectFormat } from "./import-parse.js";
import { refused, startWorld, type World } from "./testing/world.js";
import type { ImportRequest } from "./provider-key-import.js";

const importAs = async (
  world: World & { alice: Parameters<World["providerKeys"]["get"]>[0] },
  request: ImportRequest,
) => {
  const report = await world.providerKeyImport.importAll(world.alice, request);
  return {
    ...report,
    rows: report.keys.map((key) => [key.position, key.outcome, key.providerSlug, key.name]),
  };
};

test("an environment file gives its secrets; other variables are passed over", async () => {
  const world = await startWorld();
  const content = [
    "# keys of the team",
    "PORT=8080",
    "OPENAI_API_KEY=sk-openai-000000000001",
    'export ANTHROPIC_AUTH_TOKEN="sk-ant-000000000000002"',
    "GOOGLE_GENERATIVE_AI_API_KEY='AIza-00000000000003'",
    "DASHSCOPE_API_KEY=sk-dash-0000000004 # qwen",
    "OPENAI_API_KEYS=sk-openai-000000000005, sk-openai-000000000006",
    "OPENAI_API_KEY_PROD=sk-openai-000000000007",
    "NOBODY_API_KEY=xyz-0000000000000008",
    "GROQ_API_KEY=",
    "DATABASE_URL=postgres://x",
    "not an assignment",
  ].join("\r\n");
  const { rows, created, format } = await importAs(world, { content });
  assert.equal(format, "ENV");
  assert.deepEqual(rows, [
    [3, "CREATED", "openai", "OPENAI_API_KEY"],
    [4, "CREATED", "anthropic", "ANTHROPIC_AUTH_TOKEN"],
    [5, "CREATED", "google", "GOOGLE_GENERATIVE_AI_API_KEY"],
    [6, "CREATED", "alibaba", "DASHSCOPE_API_KEY"],
    [7, "CREATED", "openai", "OPENAI_API_KEYS"],
    [7, "CREATED", "openai", "OPENAI_API_KEYS 2"],
    [8, "CREATED", "openai", "OPENAI_API_KEY_PROD"],
    [9, "UNKNOWN_PROVIDER", "", "NOBODY_API_KEY"],
    [10, "INVALID", "", "GROQ_API_KEY"],
    [12, "INVALID", "", "key"],
  ]);
  assert.equal(created, 7);
  const audited = world.store.tables.audit.filter(
    (event) => event.action === "provider_key.import",
  );
  assert.equal(audited.length, 7);
});

test("one secret per line goes to the chosen provider, named or numbered", async () => {
  const world = await startWorld();
  const content =
    "sk-line-00000000001\n\nteam-b sk-line-00000000002\nsk-line-00000000001\nspare,sk-line-00000000003";
  const { rows, format } = await importAs(world, {
    content,
    providerId: "prv_deepseek",
    namePrefix: "import ",
    tier: "BACKUP",
  });
  assert.equal(format, "LINES");
  assert.deepEqual(rows, [
    [1, "CREATED", "deepseek", "import deepseek"],
    [3, "CREATED", "deepseek", "import team-b"],
    [4, "DUPLICATE", "deepseek", "import deepseek 2"],
    [5, "CREATED", "deepseek", "import spare"],
  ]);
  assert.ok([...world.store.tables.providerKeys.values()].every((key) => key.tier === "BACKUP"));
});

test("lines without a provider are reported, not guessed", async () => {
  const world = await startWorld();
  const { rows } = await importAs(world, { content: "sk-line-00000000001" });
  assert.deepEqual(rows, [[1, "UNKNOWN_PROVIDER", "", "key"]]);
});

test("JSON gives all fields of a key, under the names of several systems", async () => {
  const world = await startWorld();
  const content = JSON.stringify([
    {
      vendor: "aliyun",
      service: "qwen",
      key_name: "通义",
      api_key: "sk-json-0000001",
      tier: "overflow",
    },
    {
      provider: "anthropic",
      name: "b",
      secret: "sk-json-0000002",
      models: "claude-*, x",
      weight: 7,
      enabled: false,
    },
    { provider: "openai", name: "c", key: "sk-json-0000003", tier: "third" },
    { provider: "OpenAI", name: "d", token: "sk-json-0000004", service: "wanx" },
    "sk-json-0000005",
    { base_url: "https://api.groq.com/openai/v1", name: "e", secret: "gsk-json-0000006" },
    {
      provider: "openai",
      base_url: "https://unknown.test/v1",
      name: "f",
      secret: "sk-json-0000007",
    },
  ]);
  const { rows, format } = await importAs(world, { content });
  assert.equal(format, "JSON");
  assert.deepEqual(rows, [
    [1, "CREATED", "alibaba", "通义"],
    [2, "CREATED", "anthropic", "b"],
    [3, "INVALID", "openai", "c"],
    [4, "INVALID", "openai", "d"],
    [5, "INVALID", "", "key"],
    [6, "CREATED", "groq", "e"],
    [7, "UNKNOWN_PROVIDER", "", "f"],
  ]);
  const stored = [...world.store.tables.providerKeys.values()];
  assert.equal(stored.find((key) => key.name === "通义")?.tier, "OVERFLOW");
  const b = stored.find((key) => key.name === "b");
  assert.deepEqual([b?.modelAllowlist, b?.weight, b?.enabled], [["claude-*", "x"], 7, false]);
});

test("JSON may be secrets by provider, or a list inside an object", async () => {
  const world = await startWorld();
  const byProvider = await importAs(world, {
    content: JSON.stringify({
      openai: ["sk-map-0000001", "sk-map-0000002"],
      groq: "gsk-map-00003",
    }),
  });
  assert.equal(byProvider.created, 3);
  const inside = await importAs(world, {
    content: JSON.stringify({ data: { items: [{ provider: "xai", secret: "xai-000000004" }] } }),
  });
  assert.equal(inside.created, 1);
});

test("one-api channels give a key for each line of theirs", async () => {
  const world = await startWorld();
  const content = JSON.stringify({
    data: [
      {
        type: 1,
        name: "gpt",
        key: "sk-chan-000001\nsk-chan-000002",
        models: "gpt-4o,gpt-5",
        weight: 0,
        status: 1,
      },
      { type: 14, name: "claude", key: "sk-chan-000003", status: 2, weight: 5000 },
      { type: 42, name: "mistral", key: "sk-chan-000004" },
      { type: 8, name: "own", key: "sk-chan-000005", base_url: "https://nowhere.test" },
      { type: 36, name: "songs", key: "sk-chan-000006" },
    ],
  });
  const { rows, format } = await importAs(world, { content });
  assert.equal(format, "ONE_API");
  assert.deepEqual(rows, [
    [1, "CREATED", "openai", "gpt"],
    [1, "CREATED", "openai", "gpt 2"],
    [2, "CREATED", "anthropic", "claude"],
    [3, "CREATED", "mistral", "mistral"],
    [4, "UNKNOWN_PROVIDER", "", "own"],
    [5, "UNKNOWN_PROVIDER", "", "songs"],
  ]);
  const stored = [...world.store.tables.providerKeys.values()];
  const claude = stored.find((key) => key.name === "claude");
  assert.deepEqual([claude?.enabled, claude?.weight], [false, 1000]);
  assert.deepEqual(stored[0]?.modelAllowlist, ["gpt-4o", "gpt-5"]);
});

test("what is stored already is reported as a duplicate", async () => {
  const world = await startWorld();
  const secret = new Secret("sk-stored-0000001");
  await world.providerKeys.create(world.bob, { providerId: "prv_openai", name: "x", secret });
  const { rows } = await importAs(world, { content: "OPENAI_API_KEY=sk-stored-0000001" });
  assert.equal(rows[0]?.[1], "DUPLICATE");
});

test("a dry run reports the same and stores nothing", async () => {
  const world = await startWorld();
  const content = "OPENAI_API_KEY=sk-dry-0000000001\nOPENAI_API_KEY=sk-dry-0000000002\nX_API_KEY=y";
  const before = world.store.tables.audit.length;
  const dry = await importAs(world, { content, dryRun: true });
  assert.equal(world.store.tables.providerKeys.size, 0);
  assert.equal(world.store.tables.audit.length, before);
  const real = await importAs(world, { content });
  assert.deepEqual(dry.rows, real.rows);
  assert.ok(real.keys[0]?.providerKeyId.startsWith("pk_"));
  assert.equal(dry.keys[0]?.providerKeyId, "");
});

test("an import of many keys commits in parts and keeps every name free", async () => {
  const world = await startWorld();
  const lines = Array.from({ length: 350 }, (_, n) => `sk-many-${String(n).padStart(10, "0")}`);
  const request = { content: lines.join("\n"), providerId: "prv_openai" };
  const dry = await importAs(world, { ...request, dryRun: true });
  const writes = world.store.writes;
  const real = await importAs(world, request);
  assert.equal(real.created, 350);
  assert.equal(world.store.writes, writes + 2);
  assert.equal(new Set(real.rows.map((row) => row[3])).size, 350);
  assert.deepEqual(dry.rows, real.rows);
});

test("unreadable or excessive content is refused as a whole, without quoting it", async () => {
  const world = await startWorld();
  const bad = (content: string) =>
    refused("invalid_argument", () => world.providerKeyImport.importAll(world.alice, { content }));
  const fault = await bad('[{"provider":"openai","secret":"sk-secret-in-broken-json"');
  assert.ok(!fault.message.includes("sk-secret"));
  assert.equal(fault.cause, undefined);
  await bad("x".repeat((1 << 20) + 1));
  await bad("a\n".repeat(10_001));
  await bad('{"data": 5');
});

test("only an admin imports for others", async () => {
  const world = await startWorld();
  const ownerId = world.bob.userId ?? "";
  const request = { content: "OPENAI_API_KEY=sk-for-bob-000001", ownerId };
  await refused("not_found", () => world.providerKeyImport.importAll(world.alice, request));
  const { created } = await world.providerKeyImport.importAll(world.root, request);
  assert.equal(created, 1);
});

test("the form of a text is found out from the text", () => {
  assert.equal(detectFormat("sk-1\nsk-2"), "LINES");
  assert.equal(detectFormat("export A_KEY=1"), "ENV");
  assert.equal(detectFormat(' [{"secret":"x"}]'), "JSON");
  assert.equal(detectFormat('[{"id":1,"type":1,"key":"x"}]'), "ONE_API");
});
