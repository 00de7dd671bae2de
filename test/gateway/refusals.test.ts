import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import {
  CHAT_REPLY,
  inTurn,
  replyJson,
  type Script,
  startUpstreamStub,
  type UpstreamStub,
} from "../support/upstream-stub.js";
import { type Setup, startGateway, type TestGateway } from "./fixture.js";

const SECRETS = ["sk-first-00000000000000000000", "sk-second-0000000000000000000"];
const CHAT = { model: "m", messages: [] };
const ok = replyJson(200, CHAT_REPLY);

let stub: UpstreamStub;
let gateway: TestGateway | undefined;

before(async () => {
  stub = await startUpstreamStub();
});

after(async () => {
  await gateway?.close();
  await stub.close();
});

beforeEach(() => {
  stub.received.length = 0;
});

/** A call that the provider answers as scripted. */
async function call(
  script: Script,
  setup: Setup = {},
): Promise<{ status: number; body: string; pool: TestGateway["pool"] }> {
  await gateway?.close();
  gateway = await startGateway({
    providers: [{ baseUrl: stub.origin }],
    secrets: SECRETS,
    ...setup,
  });
  stub.script = script;
  const response = await gateway.post("/v1/chat/completions", CHAT);
  return { status: response.status, body: await response.text(), pool: gateway.pool };
}

const says = (status: number, body: unknown, headers = {}): Script =>
  replyJson(status, JSON.stringify(body), headers);
const html = (status: number): Script =>
  replyJson(status, "<html><body>Sorry, you have been blocked</body></html>", {
    "content-type": "text/html; charset=utf-8",
  });

test("a prompt that a provider flags is refused with the provider's answer, and no key is blamed", async () => {
  for (const body of [
    {
      error: {
        code: 403,
        message: "Your chosen model requires moderation and your input was flagged",
        metadata: { reasons: ["violence"], flagged_input: "my API key", provider_name: "OpenAI" },
      },
    },
    { error: { code: 403, message: "no", metadata: { error_type: "content_policy_violation" } } },
    {
      code: "The caller does not have permission to execute the specified operation",
      error:
        "Content violates usage guidelines. Team: t, API key ID: k, Failed check: SAFETY_CHECK_TYPE_BIO",
    },
    { error: { code: "content_filter", message: "Your account's prompt was filtered" } },
  ]) {
    const { status, body: answer, pool } = await call(says(403, body));
    assert.equal(status, 403);
    assert.equal(answer, JSON.stringify(body));
    assert.deepEqual(pool.outcomes, ["REQUEST_REFUSED"]);
  }
});

test("a 403 that speaks of the key, its account or its rights is held against the key alone", async () => {
  for (const error of [
    { type: "permission_error", message: "no" },
    { status: "PERMISSION_DENIED", message: "no" },
    { message: "Your account has been suspended" },
    { message: "This API key may not be used from here" },
    { message: "You have insufficient permissions for this operation" },
    { message: "Your organization is not active" },
  ]) {
    const { status, body, pool } = await call(says(403, { error }));
    assert.equal(status, 502, JSON.stringify(error));
    assert.match(body, /upstream_refused_key/);
    assert.deepEqual(pool.outcomes, ["KEY_REFUSED", "KEY_REFUSED"]);
  }
});

test("a 403 that says nothing of the key does not refuse it, is tried elsewhere, and is not taken for the caller's", async () => {
  for (const script of [
    html(403),
    says(403, { error: { type: "forbidden", message: "Request not allowed" } }),
    says(403, { error: { message: 'Blocked by rule "my API key, my account: permission"' } }),
    says(403, { error: { message: "Blocked by a rule: my API key, my account, permission" } }),
  ]) {
    const { status, body, pool } = await call(script);
    assert.equal(status, 502);
    assert.match(body, /upstream_error/);
    assert.deepEqual(pool.outcomes, ["PROVIDER_ERROR", "PROVIDER_ERROR"]);
    assert.equal((await call(inTurn(script, ok))).status, 200);
  }
});

test("a used-up quota rests until the provider's reset, and not until that of a limit of rate", async () => {
  const spent = { error: { code: "insufficient_quota", message: "spent" } };
  const ofRate = {
    "x-ratelimit-remaining-requests": "0",
    "x-ratelimit-reset-requests": "20ms",
  };
  for (const [headers, wanted] of [
    [{ "retry-after": "60" }, 60_000],
    [{ "retry-after": "86400" }, 86_400_000],
    [{ "retry-after": String(400 * 86_400) }, 31 * 86_400_000],
    [ofRate, null],
    [{}, null],
  ] as const) {
    const { pool } = await call(says(429, spent, headers));
    assert.deepEqual(pool.outcomes, ["QUOTA_EXHAUSTED", "QUOTA_EXHAUSTED"]);
    assert.equal(pool.releases[0]?.result.retryAfterMs, wanted);
  }
});
