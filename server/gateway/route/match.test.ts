import assert from "node:assert/strict";
import { test } from "node:test";
import { toFault } from "../../core/fault.js";
import type { Dialect } from "../../core/provider.js";
import { ENDPOINTS } from "./endpoints.js";
import { dialectOf, type Match, matchEndpoint } from "./match.js";

function match(method: string, path: string, spoken: Dialect = "OPENAI"): Match {
  const found = matchEndpoint(method, path, spoken);
  assert.ok("endpoint" in found, path);
  return found;
}

/** What a caller reads who asks for what is not there. */
function refusal(method: string, path: string, spoken: Dialect = "OPENAI"): string {
  try {
    matchEndpoint(method, path, spoken);
  } catch (thrown) {
    const fault = toFault(thrown);
    assert.equal(fault.code, "unsupported_endpoint", path);
    return fault.publicMessage;
  }
  throw new Error(`${method} ${path} is served`);
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
  for (const path of ["/v1/batches", "/v1/batches/b"]) {
    for (const dialect of ["OPENAI", "GEMINI"] as const) {
      assert.equal(match("GET", path, dialect).endpoint.dialect, dialect);
    }
    assert.equal(match("GET", path, "ANTHROPIC").endpoint.dialect, "OPENAI");
  }
  assert.equal(match("GET", "/v1beta/models").endpoint.dialect, "GEMINI");
});

test("what a model is asked to do, and nobody here does, is no wrong method of the model itself", () => {
  for (const [method, path] of [
    ["POST", "/v1beta1/publishers/google/models/m:batchGenerateContent"],
    ["POST", "/v1beta/models/m:predictLongRunning"],
    ["GET", "/v1beta/models/veo/operations/o1"],
    ["PATCH", "/v1beta/batches/b:updateGenerateContentBatch"],
    ["GET", "/v1beta/batches/b:results"],
    ["POST", "/v1/batches/b:retry"],
    ["GET", "/v1beta/batches/b/results"],
    ["GET", "/v1beta/files/f:get"],
    ["GET", "/v1beta/operations/o1"],
    ["POST", "/v1beta/files:register"],
  ] as const) {
    const why = refusal(method, path, "GEMINI");
    assert.match(why, /Gemini's API are served: generateContent, .*\bpredict, .*files/, path);
    assert.doesNotMatch(why, /responses|messages/);
  }
  assert.match(refusal("POST", "/v1beta/interactions"), /, models; not interactions\.$/);
  assert.match(refusal("GET", "/v1/interactions/i", "GEMINI"), /; not interactions\.$/);
  assert.match(refusal("POST", "/v1beta/models/m:predictLongRunning"), /; not predictLongRunning/);
  assert.doesNotMatch(refusal("POST", "/v1beta/files:register"), /; not/);
  refusal("GET", "/v1beta/batches/b:results", "OPENAI");
  assert.equal(match("GET", "/v1/files/vendor:abc", "OPENAI").id, "vendor:abc");
  assert.deepEqual(matchEndpoint("POST", "/v1/models/gpt-4o", "OPENAI"), { allow: ["GET"] });
  assert.deepEqual(matchEndpoint("DELETE", "/v1/models/ft:gpt-4o", "OPENAI"), { allow: ["GET"] });
});

test("a refusal names what the API has here, or how the base URL ends wrongly", () => {
  assert.match(
    refusal("POST", "/v1/assistants"),
    /Of OpenAI's API .*: chat, completions, .*batches/,
  );
  assert.match(refusal("POST", "/v1/complete", "ANTHROPIC"), /Of Anthropic's API .*: messages, /);
  for (const [path, end] of [
    ["/v1/v1/messages", "must not end with /v1."],
    ["/v1/v1beta/models/m:generateContent", "must not end with /v1."],
    ["/v1beta/v1beta/models/m:countTokens", "must not end with /v1beta."],
    ["/v1beta/openai/v1/chat/completions", "must not end with /v1beta/openai."],
    ["//v1beta/models/m:generateContent", "must not end with a slash."],
    ["/chat/completions", "must end with /v1."],
    ["/messages", "must end with /v1."],
    ["/images/generations", "must end with /v1."],
    ["/models/m:generateContent", "must end with /v1beta."],
  ] as const) {
    assert.ok(refusal("POST", path).includes(end), path);
  }
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
  assert.equal(dialectOf("/download/v1beta/x", "OPENAI"), "GEMINI");
  assert.equal(dialectOf("/v1/models/m:asyncBatchEmbedContents", "OPENAI"), "GEMINI");
  assert.equal(dialectOf("/v1beta/openai/x", "OPENAI"), "OPENAI");
  assert.equal(dialectOf("/v1/models/m:streamGenerateContent", "OPENAI"), "GEMINI");
});
