import assert from "node:assert/strict";
import { test } from "node:test";
import { ENDPOINTS } from "./endpoints.js";
import { scopeOf } from "./scopes.js";

test("every endpoint that goes to a provider belongs to a scope, and no other does", () => {
  for (const { kind, scope, path } of ENDPOINTS)
    assert.equal(scope !== undefined, kind === "PASS", path);
  assert.throws(() => scopeOf("/v1/else"));
});

test("scopes are by what an endpoint does, whatever its dialect", () => {
  const scopes = {
    "/v1/chat/completions": "chat",
    "/v1/responses/{id}/cancel": "chat",
    "/v1/messages/count_tokens": "chat",
    "/v1beta/models/{model}:streamGenerateContent": "chat",
    "/v1/embeddings": "embeddings",
    "/v1beta/models/{model}:batchEmbedContents": "embeddings",
    "/v1/images/edits": "images",
    "/v1beta/models/{model}:predict": "images",
    "/v1/audio/speech": "audio",
    "/v1/moderations": "moderations",
    "/v1/messages/batches/{id}/results": "files",
    "/v1/files/{id}/content": "files",
    "/v1beta/models/{model}:batchGenerateContent": "files",
    "/v1beta/models/{model}:asyncBatchEmbedContent": "files",
    "/v1beta/batches/{id}:cancel": "files",
  };
  for (const [path, scope] of Object.entries(scopes)) assert.equal(scopeOf(path), scope, path);
});
