import assert from "node:assert/strict";
import { test } from "node:test";
import { failedInside } from "./judged-failure.js";

function statusOf(error: unknown): number | null {
  return failedInside(JSON.stringify({ error }), 0).httpStatus;
}

test("an error inside a reply has the status with which its provider would say it over HTTP", () => {
  const told: readonly (readonly [unknown, number])[] = [
    [{ code: 429, message: "m" }, 429],
    [{ code: "503" }, 503],
    [{ code: 400, status: "RESOURCE_EXHAUSTED" }, 400],
    // It would speak of the path, which has answered.
    [{ code: 404 }, 400],
    [{ code: 405 }, 400],
    // No statuses of a failure.
    [{ code: 399 }, 500],
    [{ code: 600 }, 500],
    [{ code: 429.5 }, 500],
    [{ code: 200, type: "overloaded_error" }, 503],
    [{ code: "rate_limit_exceeded" }, 429],
    [{ type: "rate_limit_error" }, 429],
    [{ status: "RESOURCE_EXHAUSTED" }, 429],
    [{ status: "UNAVAILABLE" }, 503],
    [{ type: "authentication_error" }, 401],
    [{ type: "permission_error" }, 403],
    [{ type: "invalid_request_error" }, 400],
    [{ code: "context_length_exceeded" }, 400],
    [{ type: "api_error", message: "You exceeded your current quota" }, 429],
    [{ type: "api_error", message: "invalid authentication" }, 500],
    ["Too many requests", 429],
    ["something broke", 500],
    ["Unexpected endpoint or method. (POST /v1/messages/count_tokens)", 404],
    ["It said: Unexpected endpoint or method", 500],
    [{ message: 429 }, 500],
    [null, 500],
  ];
  for (const [error, status] of told) {
    assert.equal(statusOf(error), status, JSON.stringify(error));
  }
});

test("what an error inside a reply says is kept in one line, and no more of it than of any other", () => {
  const message = `a\n  b\t${"c".repeat(500)}`;
  const { detail } = failedInside(JSON.stringify({ error: { message } }), 0);
  assert.equal(detail, `error inside a reply: a b ${"c".repeat(500)}`.slice(0, 200));
});
