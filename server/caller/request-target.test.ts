import assert from "node:assert/strict";
import { test } from "node:test";
import { pathOf } from "./request-target.js";

test("a target with scheme and host means its path, and what is no such target stays as it is", () => {
  for (const [target, path] of [
    ["/v1/models?a=http://x/y", "/v1/models?a=http://x/y"],
    ["http://gateway/v1/models?a=b", "/v1/models?a=b"],
    ["HTTPS://gateway:8080/v1/models", "/v1/models"],
    ["http://[::1]:8080/", "/"],
    ["http://gateway", "/"],
    ["http://gateway?a=b", "/?a=b"],
    ["http://gateway//v1/models", "//v1/models"],
    ["//gateway/v1/models", "//gateway/v1/models"],
    ["http:///v1/models", "http:///v1/models"],
    ["http://user:secret@gateway/v1/models", "http://user:secret@gateway/v1/models"],
    ["ftp://gateway/v1/models", "ftp://gateway/v1/models"],
    ["http:/v1/models", "http:/v1/models"],
    ["gateway:8080", "gateway:8080"],
    ["*", "*"],
  ] as const) {
    assert.equal(pathOf(target), path, target);
  }
});
