import assert from "node:assert/strict";
import { test } from "node:test";
import type { Dialect } from "../core/provider.js";
import { ENDPOINTS } from "./endpoints.js";
import { dialectOf, type Match, matchEndpoint } from "./match.js";

function match(method: string, path: string, spoken: Dialect = "OPENAI"): Match {
  const found = matchEndpoint(method, path, spoken);
  assert.ok("endpoint" in found, path);
  return found;
}

test("every row of the table is reached by its own path", () => {
  for (const endpoint of ENDPOINTS) {
    const path = endpoint.path
      .replace("{id}", "id_1")
      .replace("{item}", "item_1")
      .replace("{model}", "gpt-4o");
    const found = match(endpoint.method, path, endpoint.dialect);
    assert.equal(found.endpoint, endpoint);
    assert.equal(found.id, endpoint.path.includes("{id}") ? "id_1" : "");
    assert.equal(found.item, endpoint.path.includes("{item}") ? "item_1" : "");
    assert.equal(found.model, endpoint.path.includes("{model}") ? "gpt-4o" : "");
  }
});

test("APIs that share a path are told apart by whose client asks", () => {
  for (const path of ["/v1/models", "/v1/models/m", "/v1/files", "/v1/files/f"]) {
    for (const dialect of ["OPENAI", "ANTHROPIC", "GEMINI"] as const) {
      assert.equal(match("GET", path, dialect).endpoint.dialect, dialect);
    }
  }
  assert.equal(match("GET", "/v1/batches", "GEMINI").endpoint.dialect, "OPENAI");
  assert.equal(match("GET", "/v1beta/models").endpoint.dialect, "GEMINI");
});

test("models in a path are decoded", () => {
  assert.equal(match("GET", "/v1/models/org%2Fmodel").model, "org/model");
  assert.equal(match("POST", "/v1beta/models/tuned-no:generateContent").model, "tuned-no");
  for (const model of ["qwen2.5:7b", "ft:gpt-4o-mini:acme::x", "meta-llama/llama-3:free"]) {
    const found = match("POST", `/v1beta/models/${model}:streamGenerateContent`);
    assert.equal(found.model, model);
    assert.ok(found.endpoint.path.endsWith(":streamGenerateContent"));
  }
  assert.equal(match("GET", "/v1/models/ft:gpt-4o:org::id").model, "ft:gpt-4o:org::id");
});

test("ids and models that could mean another path are refused", () => {
  for (const path of [
    "/v1/files/.",
    "/v1/files/..",
    "/v1/files/...",
    "/v1/files/a%2e",
    "/v1/files/a%2Fb",
    "/v1/files/a;b",
    "/v1/models/..",
    "/v1/models/a/../b",
    "/v1/models/%zz",
    "/v1/models/a%00b",
    "/v1beta/models/%2e%2e:countTokens",
    `/v1/files/${"x".repeat(300)}`,
    "/v1/vector_stores/vs_1/files/..",
    "/v1/vector_stores/../files/f",
    "/v1/containers/c/files/a%2Fb/content",
  ]) {
    assert.throws(() => matchEndpoint("GET", path, "OPENAI"), path);
  }
});

test("a wrong method names the right ones", () => {
  assert.deepEqual(matchEndpoint("PUT", "/v1/files", "OPENAI"), { allow: ["POST", "GET"] });
  assert.deepEqual(matchEndpoint("GET", "/v1/completions", "OPENAI"), { allow: ["POST"] });
});

test("refusals before a match speak the dialect that the path suggests", () => {
  assert.equal(dialectOf("/nothing", "OPENAI"), "OPENAI");
  assert.equal(dialectOf("/nothing", "ANTHROPIC"), "ANTHROPIC");
  assert.equal(dialectOf("/v1/nothing", "GEMINI"), "GEMINI");
  assert.equal(dialectOf("/v1/messages/x", "OPENAI"), "ANTHROPIC");
  assert.equal(dialectOf("/v1beta/x", "OPENAI"), "GEMINI");
  assert.equal(dialectOf("/upload/v1beta/x", "OPENAI"), "GEMINI");
  assert.equal(dialectOf("/upload/v1/x", "OPENAI"), "GEMINI");
  assert.equal(dialectOf("/v1beta/openai/x", "OPENAI"), "OPENAI");
  assert.equal(dialectOf("/v1/models/m:streamGenerateContent", "OPENAI"), "GEMINI");
});
