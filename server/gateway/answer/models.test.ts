import assert from "node:assert/strict";
import { test } from "node:test";
import { aPrincipal } from "../../../test/support/records.js";
import type { Dialect } from "../../core/provider.js";
import { ENDPOINTS } from "../route/endpoints.js";
import { ModelAnswers } from "./models.js";
import type { ListedModel } from "../ports.js";

function models(count: number): ListedModel[] {
  return Array.from({ length: count }, (_, i) => ({
    id: `m${i}`,
    displayName: `Model ${i}`,
    providerSlug: "p",
    createdAt: 1_700_000_000_999,
    contextWindow: i === 0 ? null : 1000 + i,
    maxOutput: i === 0 ? null : 100 + i,
  }));
}

/** What a caller in this dialect reads of these models: their list, or the one that is named. */
function read(
  dialect: Dialect,
  listed: readonly ListedModel[],
  asked: { readonly query?: string; readonly model?: string },
): unknown {
  const endpoint = ENDPOINTS.find((each) => each.kind === "LOCAL" && each.dialect === dialect);
  assert.ok(endpoint !== undefined);
  const { query = "", model = "" } = asked;
  const router = {
    visibleModels: () => listed,
    findModel: (id: string) => listed.find((each) => each.id === id),
  };
  const answers = new ModelAnswers(router);
  const ask = (): string =>
    answers.answer({ endpoint, model }, query, aPrincipal("STANDARD")).toString();
  const first = ask();
  assert.equal(ask(), first, "whoever asks next reads the same");
  return JSON.parse(first);
}

interface AnthropicPage {
  readonly data: readonly { readonly id: string }[];
  readonly has_more: boolean;
  readonly first_id: string | null;
  readonly last_id: string | null;
}

interface GeminiPage {
  readonly models: readonly { readonly name: string }[];
  readonly nextPageToken?: string;
}

function anthropic(count: number, query: string): AnthropicPage {
  return read("ANTHROPIC", models(count), { query }) as AnthropicPage;
}

function gemini(count: number, query: string): GeminiPage {
  return read("GEMINI", models(count), { query }) as GeminiPage;
}

const idsOf = ({ data }: AnthropicPage): string[] => data.map(({ id }) => id);

test("Anthropic's pages lead through all models once, forwards and backwards", () => {
  for (const [count, limit] of [
    [5, 2],
    [4, 2],
    [3, 5],
    [1, 1],
  ] as const) {
    const wanted = models(count).map(({ id }) => id);
    const forwards: string[] = [];
    for (let query = `limit=${limit}`; ;) {
      const page = anthropic(count, query);
      forwards.push(...idsOf(page));
      assert.ok(page.data.length <= limit);
      assert.equal(page.first_id, idsOf(page)[0]);
      assert.equal(page.last_id, idsOf(page).at(-1));
      assert.equal(page.has_more, forwards.length < count);
      if (!page.has_more) break;
      query = `limit=${limit}&after_id=${page.last_id ?? ""}`;
    }
    assert.deepEqual(forwards, wanted);
    const backwards: string[] = [];
    for (let beforeId = wanted.at(-1) ?? ""; ;) {
      const page = anthropic(count, `limit=${limit}&before_id=${beforeId}`);
      backwards.unshift(...idsOf(page));
      assert.ok(page.data.length <= limit);
      assert.equal(page.has_more, backwards.length < count - 1);
      if (!page.has_more) break;
      beforeId = page.first_id ?? "";
    }
    assert.deepEqual(backwards, wanted.slice(0, -1));
  }
  assert.deepEqual(anthropic(0, ""), { data: [], has_more: false, first_id: null, last_id: null });
  assert.deepEqual(idsOf(anthropic(3, "limit=2&before_id=gone")), ["m1", "m2"]);
  assert.deepEqual(idsOf(anthropic(3, "limit=2&after_id=gone")), ["m0", "m1"]);
});

test("Gemini's pages lead through all models once", () => {
  for (const [count, size] of [
    [5, 2],
    [4, 2],
    [3, 5],
  ] as const) {
    const found: string[] = [];
    for (let token = ""; ;) {
      const page = gemini(count, `pageSize=${size}${token}`);
      found.push(...page.models.map(({ name }) => name));
      if (page.nextPageToken === undefined) break;
      assert.equal(page.models.length, size);
      token = `&pageToken=${page.nextPageToken}`;
    }
    assert.deepEqual(
      found,
      models(count).map(({ id }) => `models/${id}`),
    );
  }
});

test("a model of Gemini's says what it can be asked for", () => {
  const [one] = models(1);
  assert(one !== undefined);
  const chat = ["generateContent", "streamGenerateContent", "countTokens"];
  const embedding = ["embedContent", "batchEmbedContents"];
  for (const [id, categories, methods] of [
    ["gemini-3-pro", ["CHAT", "REASONING"], chat],
    ["gemini-3-pro-image", ["IMAGE"], chat],
    ["some-vectors", ["EMBEDDING"], embedding],
    ["google/gemini-embedding-9", undefined, embedding],
    ["imagen-4.0-generate-001", undefined, ["predict"]],
    ["new-model", undefined, chat],
  ] as const) {
    const model = { ...one, id, ...(categories === undefined ? {} : { categories }) };
    const told = read("GEMINI", [model], { model: id }) as Record<string, unknown>;
    assert.deepEqual(told["supportedGenerationMethods"], methods, id);
  }
});

test("a page whose size or place is no number is the first, of the usual size", () => {
  for (const value of ["", "x", "0", "-1", "1.5", "x5", "5x", "9999999"]) {
    assert.equal(anthropic(30, `limit=${value}`).data.length, 20, value);
    assert.equal(gemini(60, `pageSize=${value}`).models.length, 50, value);
    assert.equal(gemini(60, `pageToken=${value}`).models[0]?.name, "models/m0", value);
  }
  assert.equal(anthropic(30, "after_id=unknown").first_id, "m0");
  assert.equal(anthropic(1200, "limit=999999").data.length, 1000);
});

test("a model says how much it takes and makes where that is known", () => {
  const [unknown, known, none] = ["m0", "m1", "m2"] as const;
  const one = (dialect: Dialect, model: string): unknown => read(dialect, models(2), { model });
  assert.deepEqual(one("OPENAI", known), {
    id: "m1",
    object: "model",
    created: 1_700_000_000,
    owned_by: "p",
    type: "base",
    capabilities: { completion_chat: true },
    max_context_length: 1001,
  });
  const ofAnthropic = { type: "model", created_at: "2023-11-14T22:13:20.999Z" };
  const first = { ...ofAnthropic, id: "m0", display_name: "Model 0" };
  assert.deepEqual(one("ANTHROPIC", unknown), first);
  assert.deepEqual(one("ANTHROPIC", known), {
    ...ofAnthropic,
    id: "m1",
    display_name: "Model 1",
    max_input_tokens: 1001,
    max_tokens: 101,
  });
  const ofGemini = {
    version: "001",
    supportedGenerationMethods: ["generateContent", "streamGenerateContent", "countTokens"],
  };
  assert.deepEqual(one("GEMINI", unknown), {
    ...ofGemini,
    name: "models/m0",
    baseModelId: "m0",
    displayName: "Model 0",
  });
  assert.deepEqual(one("GEMINI", known), {
    ...ofGemini,
    name: "models/m1",
    baseModelId: "m1",
    displayName: "Model 1",
    inputTokenLimit: 1001,
    outputTokenLimit: 101,
  });
  assert.throws(() => one("OPENAI", none), { code: "model_not_found" });
});

test("a page has what lies between its ends, whatever characters the names are of", () => {
  const listed = models(7).map((model, at) => ({
    ...model,
    displayName: `${"é模😀".repeat(at)},`,
  }));
  const said = (read("GEMINI", listed, { query: "pageSize=1000" }) as GeminiPage).models;
  assert.equal(said.length, 7);
  for (let from = 0; from < 9; from++) {
    for (let size = 1; size < 9; size++) {
      const query = `pageSize=${String(size)}&pageToken=${String(from)}`;
      const page = read("GEMINI", listed, { query }) as GeminiPage;
      assert.deepEqual(page.models, said.slice(from, from + size));
    }
  }
});
