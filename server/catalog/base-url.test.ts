import assert from "node:assert/strict";
import test from "node:test";
import * as fc from "fast-check";
import { endpointUrl, joinUrl, normalizeBaseUrl, originOf } from "./base-url.js";
import { PROVIDER_PRESETS } from "./presets.js";

test("a version never stands twice and a vendor's own version is kept", () => {
  const chat = "/v1/chat/completions";
  assert.equal(
    joinUrl("https://api.openai.com/v1", chat),
    "https://api.openai.com/v1/chat/completions",
  );
  assert.equal(
    joinUrl("https://api.openai.com/v1/", chat),
    "https://api.openai.com/v1/chat/completions",
  );
  assert.equal(
    joinUrl("https://api.deepseek.com", chat),
    "https://api.deepseek.com/v1/chat/completions",
  );
  assert.equal(
    joinUrl("https://open.bigmodel.cn/api/paas/v4", chat),
    "https://open.bigmodel.cn/api/paas/v4/chat/completions",
  );
  assert.equal(
    joinUrl("https://api.groq.com/openai/v1", "/v1/models?limit=5"),
    "https://api.groq.com/openai/v1/models?limit=5",
  );
  assert.equal(
    joinUrl(
      "https://generativelanguage.googleapis.com/v1beta",
      "/v1beta/models/gemini-pro:generateContent",
    ),
    "https://generativelanguage.googleapis.com/v1beta/models/gemini-pro:generateContent",
  );
  assert.equal(
    joinUrl("https://generativelanguage.googleapis.com", "/v1beta/openai/chat/completions"),
    "https://generativelanguage.googleapis.com/v1beta/openai/chat/completions",
  );
  assert.equal(
    joinUrl("https://api.anthropic.com/v1", "/v1/messages?beta=true"),
    "https://api.anthropic.com/v1/messages?beta=true",
  );
});

test("uploads and downloads go to their own trees above the version, which is the base URL's where it has one", () => {
  const google = "https://generativelanguage.googleapis.com";
  for (const [base, version, wanted] of [
    [`${google}/v1beta`, "upload/v1", "/upload/v1beta/files?upload_id=1"],
    [`${google}/v1beta/`, "upload/v1beta", "/upload/v1beta/files?upload_id=1"],
    [google, "upload/v1", "/upload/v1/files?upload_id=1"],
    [`${google}/proxy/v1`, "upload/v1beta", "/proxy/upload/v1/files?upload_id=1"],
    [`${google}/v1beta`, "download/v1", "/download/v1beta/files?upload_id=1"],
  ] as const) {
    const provider = { baseUrl: base, authStyle: "X_GOOG_API_KEY", dialect: "GEMINI" } as const;
    const url = endpointUrl(provider, `/${version}/files?upload_id=1`, "");
    assert.equal(url, `${google}${wanted}`);
  }
});

test("Google's models are found at either of its addresses, whichever of them the caller asks for", () => {
  const studio = "/v1beta/models/gemini-3-pro:generateContent";
  const vertex = "/v1beta1/publishers/google/models/gemini-3-pro:generateContent";
  const stable = "/v1/publishers/google/models/gemini-3-pro:generateContent";
  for (const [baseUrl, asked, wanted] of [
    ["https://generativelanguage.googleapis.com", vertex, studio],
    ["https://generativelanguage.googleapis.com/v1beta", vertex, studio],
    ["https://generativelanguage.googleapis.com", studio, studio],
    ["https://aiplatform.googleapis.com", studio, vertex],
    ["https://aiplatform.googleapis.com", "/v1/models/gemini-3-pro:generateContent", stable],
    ["https://aiplatform.googleapis.com/v1", studio, stable],
    ["https://us-central1-aiplatform.googleapis.com", studio, vertex],
    ["https://aiplatform.eu.rep.googleapis.com", studio, vertex],
    ["https://aiplatform.googleapis.com", vertex, vertex],
    ["https://relay.example", vertex, vertex],
    ["https://relay.example", studio, studio],
  ] as const) {
    const provider = { baseUrl, authStyle: "X_GOOG_API_KEY", dialect: "GEMINI" } as const;
    assert.equal(
      endpointUrl(provider, `${asked}?alt=sse`, "gemini-3-pro"),
      `${new URL(baseUrl).origin}${wanted}?alt=sse`,
    );
  }
});

test("a vendor's OpenAI-compatible layer beneath a version gets no second version", () => {
  const bases = [
    "https://generativelanguage.googleapis.com/v1beta/openai",
    "https://api.deepinfra.com/v1/openai",
    "https://aiplatform.googleapis.com/v1/projects/p/locations/global/endpoints/openapi",
  ];
  for (const base of bases) {
    assert.equal(joinUrl(base, "/v1/chat/completions"), `${base}/chat/completions`);
    assert.equal(joinUrl(`${base}/`, "/v1/models?limit=5"), `${base}/models?limit=5`);
  }
  assert.equal(
    joinUrl("https://gateway.example/v1/team/anthropic", "/v1/messages"),
    "https://gateway.example/v1/team/anthropic/v1/messages",
  );
});

test("joining an address that is joined already changes nothing", () => {
  const bases = PROVIDER_PRESETS.map((preset) => preset.baseUrl);
  const paths = ["/v1/chat/completions", "/v1/messages", "/v1/embeddings", "/v1beta/models"];
  fc.assert(
    fc.property(fc.constantFrom(...bases), fc.constantFrom(...paths), (base, path) => {
      const once = joinUrl(base, path);
      assert.equal(joinUrl(once, path), once);
      assert.equal(once.includes("/v1/v1"), false);
    }),
  );
});

test("Azure is addressed by deployment with api-version, else by its v1 scheme", () => {
  const provider = { authStyle: "AZURE", dialect: "OPENAI" } as const;
  assert.equal(
    endpointUrl(
      { ...provider, baseUrl: "https://x.openai.azure.com?api-version=2024-10-21" },
      "/v1/chat/completions",
      "my gpt",
    ),
    "https://x.openai.azure.com/openai/deployments/my%20gpt/chat/completions?api-version=2024-10-21",
  );
  assert.equal(
    endpointUrl({ ...provider, baseUrl: "https://x.openai.azure.com" }, "/v1/responses", "gpt-5"),
    "https://x.openai.azure.com/openai/v1/responses",
  );
});

test("Azure has files, batches, responses and models once, beside its deployments", () => {
  const baseUrl = "https://x.openai.azure.com/openai?api-version=2025-03-01-preview";
  const provider = { authStyle: "AZURE", dialect: "OPENAI", baseUrl } as const;
  for (const [path, place] of [
    ["/v1/files", "/files"],
    ["/v1/files/file-1/content", "/files/file-1/content"],
    ["/v1/batches/batch_1/cancel", "/batches/batch_1/cancel"],
    ["/v1/responses", "/responses"],
    ["/v1/responses/resp_1", "/responses/resp_1"],
    ["/v1/models", "/models"],
    ["/v1/completions", "/deployments/d/completions"],
    ["/v1/embeddings", "/deployments/d/embeddings"],
    ["/v1/audio/speech", "/deployments/d/audio/speech"],
    ["/v1/images/edits", "/deployments/d/images/edits"],
  ] as const) {
    assert.equal(
      endpointUrl(provider, path, "d"),
      `https://x.openai.azure.com/openai${place}?api-version=2025-03-01-preview`,
    );
  }
});

test("OpenAI-style calls to DashScope's native preset address go to its compatible endpoints", () => {
  const dashScope = {
    baseUrl: "https://dashscope.aliyuncs.com/api/v1",
    authStyle: "BEARER",
  } as const;
  assert.equal(
    endpointUrl({ ...dashScope, dialect: "OPENAI" }, "/v1/chat/completions", "qwen-plus"),
    "https://dashscope.aliyuncs.com/compatible-mode/v1/chat/completions",
  );
  assert.equal(
    joinUrl(dashScope.baseUrl, "/v1/services/aigc/text2image/image-synthesis"),
    "https://dashscope.aliyuncs.com/api/v1/services/aigc/text2image/image-synthesis",
  );
});

test("what people paste becomes a base URL, and what cannot be one is refused by field", () => {
  assert.equal(normalizeBaseUrl(" https://a.example/v1/ "), "https://a.example/v1");
  assert.equal(
    normalizeBaseUrl("https://a.example/v1/chat/completions#top"),
    "https://a.example/v1",
  );
  assert.equal(normalizeBaseUrl("HTTPS://A.Example"), "https://a.example");
  assert.equal(
    normalizeBaseUrl("https://a.example?api-version=2024-10-21"),
    "https://a.example?api-version=2024-10-21",
  );
  for (const bad of [
    "",
    "a.example",
    "ftp://a.example",
    "https://u:p@a.example",
    `https://${"a".repeat(300)}`,
  ]) {
    assert.throws(() => normalizeBaseUrl(bad), { code: "invalid_argument" });
  }
  assert.equal(originOf("https://a.example:8443/v1"), "https://a.example:8443");
});

test("a base URL's own query cannot be overridden by the caller", () => {
  assert.equal(
    joinUrl("https://a.example/v1?api-version=1", "/v1/models?api-version=2&limit=3"),
    "https://a.example/v1/models?limit=3&api-version=1",
  );
});
