import assert from "node:assert/strict";
import { test } from "node:test";
import { inTurn, replyJson, type Script } from "../support/upstream-stub.js";
import { FakeClock } from "../support/fake-clock.js";
import { advanceUntil, type Setup, type TestGateway } from "./fixture.js";
import { CHAT, ok, SECRETS, stubbedGateway } from "./stubbed-gateway.js";

const site = stubbedGateway(SECRETS.slice(0, 2));

/** A call that the provider answers as scripted. */
async function call(
  script: Script,
  setup: Setup = {},
): Promise<{ status: number; body: string; pool: TestGateway["pool"] }> {
  const gateway = await site.start(setup);
  site.stub.script = script;
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
    assert.equal(status, 400, "a 403 would speak of the caller's key");
    assert.equal(answer, JSON.stringify(body));
    assert.deepEqual(pool.outcomes, ["REQUEST_REFUSED"]);
  }
});

test("a 403 that says that the key or its account is good for nothing is held against the key", async () => {
  for (const error of [
    { message: "Your account has been suspended" },
    { message: "This API key may not be used from here" },
    { message: "Your organization is not active" },
    { message: "API key expired" },
    { message: "Invalid API key format" },
    { message: "The project is disabled." },
    {
      status: "PERMISSION_DENIED",
      message: "Your API key was reported as leaked. Please use another API key.",
    },
    { status: "PERMISSION_DENIED", message: "no", details: [{ reason: "CONSUMER_SUSPENDED" }] },
  ]) {
    const { status, body, pool } = await call(says(403, { error }));
    assert.equal(status, 502, JSON.stringify(error));
    assert.match(body, /upstream_refused_key/);
    assert.deepEqual(pool.outcomes, ["KEY_REFUSED", "KEY_REFUSED"], JSON.stringify(error));
  }
});

test("a right that is refused is asked of other keys, and held against those alone that another outdoes", async () => {
  const scopes =
    "You have insufficient permissions for this operation. Missing scopes: api.responses.write.";
  for (const [httpStatus, error] of [
    [403, { type: "permission_error", message: "no" }],
    [403, { status: "PERMISSION_DENIED", message: "The caller does not have permission" }],
    [403, { message: "You have insufficient permissions for this operation" }],
    [403, { message: "Your organization has disabled this feature" }],
    [403, { message: "Your account may not use this beta" }],
    [401, { type: "invalid_request_error", message: scopes }],
  ] as const) {
    const said = JSON.stringify(error);
    const refused = await call(says(httpStatus, { error }));
    assert.equal(refused.status, 502, said);
    assert.match(refused.body, /upstream_refused_key/);
    assert.ok(refused.body.includes(error.message), "the caller reads what was refused");
    assert.deepEqual(refused.pool.outcomes, ["RIGHT_REFUSED", "RIGHT_REFUSED"], said);
    assert.deepEqual(refused.pool.outdone, [], "nobody has the right");

    const served = await call(inTurn(says(httpStatus, { error }), ok));
    assert.equal(served.status, 200);
    assert.deepEqual(served.pool.outcomes, ["RIGHT_REFUSED", "OK"], said);
    assert.deepEqual(served.pool.outdone, ["pk_0"]);
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

const anthropics = (message: string): unknown => ({
  type: "error",
  error: { type: "invalid_request_error", message },
});

test("a spend limit that Anthropic tells as the request's fault rests the key until the day it names", async () => {
  const clock = new FakeClock(Date.UTC(2025, 11, 30));
  const limit =
    "You have reached your specified API usage limits. You will regain access on 2026-01-01 at 00:00 UTC.";
  for (const [message, wanted] of [
    [limit, 2 * 86_400_000],
    [limit.replace("specified", "specified workspace"), 2 * 86_400_000],
    [limit.replace("2026", "2025"), null],
  ] as const) {
    const date = new Date(clock.now()).toUTCString();
    const refused = says(400, anthropics(message), { date });
    const { status, pool } = await call(inTurn(refused, ok), { clock });
    assert.equal(status, 200);
    assert.deepEqual(pool.outcomes, ["QUOTA_EXHAUSTED", "OK"]);
    assert.equal(pool.releases[0]?.result.retryAfterMs, wanted, message);
  }
});

test("money that is used up is told from a rate and from a refused key, however a provider says it", async () => {
  const team =
    "Your team 16f2151a-40f4-4a80-8ad0-cae00c27e8dd has either used all available credits";
  for (const [status, body] of [
    [
      400,
      anthropics(
        "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase credits.",
      ),
    ],
    [
      400,
      {
        error: {
          code: "Arrearage",
          message: "Access denied, please make sure your account is in good standing.",
        },
      },
    ],
    [
      429,
      {
        code: "Some resource has been exhausted",
        error: `${team} or reached its monthly spending limit. To continue making API requests, please purchase more credits or raise your spending limit.`,
      },
    ],
    [
      403,
      {
        code: "The caller does not have permission to execute the specified operation",
        error:
          "Your newly created teams doesn't have any credits yet. You can purchase credits on https://console.x.ai/team/c853730f.",
      },
    ],
    [
      429,
      { error: { type: "exceeded_current_quota_error", message: "Your account is suspended" } },
    ],
    [
      403,
      {
        error: {
          code: 403,
          message: "Budget limit exceeded",
          metadata: { limit_source: "openrouter_key_limit" },
        },
      },
    ],
    [
      403,
      {
        error: {
          code: 403,
          message:
            "Key limit exceeded (total limit). Manage it using https://openrouter.ai/settings/keys",
        },
      },
    ],
    [429, { error: { code: "1113", message: "您的账户已欠费，请充值后重试" } }],
  ] as const) {
    const { status: told, pool } = await call(inTurn(says(status, body), ok));
    assert.equal(told, 200, JSON.stringify(body));
    assert.deepEqual(pool.outcomes, ["QUOTA_EXHAUSTED", "OK"], JSON.stringify(body));
  }
});

test("a disabled organisation is its key's fault, and the call goes on with another", async () => {
  const { status, pool } = await call(
    inTurn(says(400, anthropics("This organization has been disabled.")), ok),
  );
  assert.equal(status, 200);
  assert.deepEqual(pool.outcomes, ["KEY_REFUSED", "OK"]);
});

test("what a caller writes into its request costs no key its place when the provider quotes it", async () => {
  for (const [status, message] of [
    [400, "Your credit balance is too low is not a valid model ID"],
    [400, "This organization has been disabled. is not a valid model ID"],
    [400, "Invalid value: 'API key not valid. Please pass a valid API key.'"],
    [400, "Your credit balance is too low to access the API.: Extra inputs are not permitted"],
    [400, "incorrect api key: Extra inputs are not permitted"],
    [400, "insufficient balance: unknown parameter"],
    [404, "Prompt with id 'the model was not found' not found"],
  ] as const) {
    const { status: told, pool } = await call(says(status, { error: { message, type: "x" } }));
    assert.equal(told, status, message);
    assert.deepEqual(pool.outcomes, ["REQUEST_REFUSED"], message);
  }
});

const tokens = (start: string, rest: string): unknown => ({
  error: {
    message: `${start} for gpt-4o in organization org-x on tokens per min (TPM): ${rest}. Visit https://platform.openai.com/account/rate-limits to learn more.`,
    type: "tokens",
    param: null,
    code: "rate_limit_exceeded",
  },
});
const tooLarge = tokens("Request too large", "Limit 30000, Requested 52000");
const limited = tokens("Rate limit reached", "Limit 30000, Used 29000, Requested 2000");

test("a call that is larger than a key's whole limit is tried with others and rests none", async () => {
  for (const [status, body] of [
    [429, tooLarge],
    [413, tokens("Request too large", "Limit 6000, Requested 7000")],
    [
      402,
      {
        error: {
          code: 402,
          message:
            "This request requires more credits, or fewer max_tokens. You requested up to 65536 tokens, but can only afford 10114. To increase, visit https://openrouter.ai/settings/credits and upgrade to a paid account",
        },
      },
    ],
    [
      402,
      {
        error: {
          code: 402,
          message:
            "Prompt tokens limit exceeded: 230799 > 91442. To increase, visit https://openrouter.ai/settings/keys",
        },
      },
    ],
  ] as const) {
    const served = await call(inTurn(says(status, body), ok));
    assert.equal(served.status, 200);
    assert.deepEqual(served.pool.outcomes, ["REQUEST_REFUSED", "OK"]);
    const refused = await call(says(status, body));
    // A 402 would speak of the caller's own budget.
    assert.equal(refused.status, status === 402 ? 400 : status);
    assert.equal(refused.body, JSON.stringify(body));
    assert.deepEqual(refused.pool.outcomes, ["REQUEST_REFUSED", "REQUEST_REFUSED"]);
  }
});

test("a call that would fit a key's limit, and a key that can afford nothing, rest the key", async () => {
  assert.equal((await call(inTurn(says(429, limited), ok))).pool.outcomes[0], "RATE_LIMITED");
  const spent = {
    error: {
      code: 402,
      message:
        "This request requires more credits, or fewer max_tokens. You requested up to 32000 tokens, but can only afford 0. To increase, visit https://openrouter.ai/settings/keys and create a key with a higher monthly limit",
    },
  };
  assert.equal((await call(inTurn(says(402, spent), ok))).pool.outcomes[0], "QUOTA_EXHAUSTED");
});

test("a call that is too large for one key waits for another that is limited, and not for the first", async () => {
  for (const first of [0, 1]) {
    const clock = new FakeClock();
    site.stub.received.length = 0;
    const gateway = await site.start({ clock });
    gateway.pool.backMs = 0;
    let asked = 0;
    site.stub.script = (received, res) => {
      if (received.secret === SECRETS[first]) return says(429, tooLarge)(received, res);
      return (++asked === 1 ? says(429, limited) : ok)(received, res);
    };
    const response = await advanceUntil(clock, gateway.post("/v1/chat/completions", CHAT));
    assert.equal(response.status, 200);
    assert.equal(site.stub.received.length, 3);
  }
});

const NOW = Date.UTC(2026, 10, 21, 16);
const IN_42_S = NOW + 42_000;
const spoken = (message: string): unknown => ({ error: { message, code: "rate_limit_exceeded" } });
const openRouters = (reset: string, others: object = {}): unknown => ({
  error: {
    code: 429,
    message: "Rate limit exceeded: free-models-per-min.",
    metadata: {
      headers: {
        ...others,
        "X-RateLimit-Limit": "20",
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": reset,
      },
    },
  },
});

for (const [name, headers, body, wanted] of [
  [
    "a reset in epoch milliseconds",
    { "x-ratelimit-remaining": "0", "x-ratelimit-reset": String(IN_42_S) },
    {},
    42_000,
  ],
  [
    "a reset in epoch seconds",
    { "x-ratelimit-remaining": "0", "x-ratelimit-reset": String(IN_42_S / 1000) },
    {},
    42_000,
  ],
  [
    "a reset in epoch seconds, of requests",
    { "x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": String(IN_42_S / 1000) },
    {},
    42_000,
  ],
  [
    "a reset that has passed",
    { "x-ratelimit-remaining": "0", "x-ratelimit-reset": String((NOW - 1000) / 1000) },
    {},
    null,
  ],
  [
    "a reset that can be no time",
    { "x-ratelimit-remaining": "0", "x-ratelimit-reset": "500000000" },
    {},
    null,
  ],
  [
    "a reset of what is not used up",
    { "x-ratelimit-remaining": "unknown", "x-ratelimit-reset": "42" },
    {},
    null,
  ],
  ["ratelimit-reset", { "ratelimit-remaining": "0", "ratelimit-reset": "42" }, {}, 42_000],
  ["ratelimit of several policies", { ratelimit: '"burst";r=3;t=7, "day";r=0;t=42' }, {}, 42_000],
  [
    "Anthropic's unified reset",
    {
      "anthropic-ratelimit-unified-status": "rejected",
      "anthropic-ratelimit-unified-reset": String(IN_42_S / 1000),
    },
    {},
    42_000,
  ],
  [
    "Anthropic's unified reset of a limit that holds",
    {
      "anthropic-ratelimit-unified-status": "allowed",
      "anthropic-ratelimit-unified-reset": String(IN_42_S / 1000),
    },
    {},
    null,
  ],
  [
    "a date without a zone's name",
    {
      "anthropic-ratelimit-requests-remaining": "0",
      "anthropic-ratelimit-requests-reset": new Date(IN_42_S).toISOString(),
    },
    {},
    42_000,
  ],
  [
    "Mistral's limit of tokens",
    { "ratelimitbysize-remaining": "0", "ratelimitbysize-reset": "42" },
    {},
    42_000,
  ],
  [
    "Mistral's limit of tokens with less left than the call needs",
    {
      "ratelimitbysize-remaining": "120",
      "ratelimitbysize-query-cost": "4000",
      "ratelimitbysize-reset": "42",
    },
    {},
    42_000,
  ],
  [
    "Mistral's limit of tokens that is not used up",
    {
      "ratelimitbysize-remaining": "5000",
      "ratelimitbysize-query-cost": "4000",
      "ratelimitbysize-reset": "42",
    },
    {},
    null,
  ],
  ["Retry-After twice", { "retry-after": "60, 60" }, {}, 60_000],
  ["Retry-After with a unit", { "retry-after": "42s" }, {}, 42_000],
  ["Retry-After in epoch seconds", { "retry-after": String(IN_42_S / 1000) }, {}, 42_000],
  ["a negative Retry-After", { "retry-after": "-1" }, {}, null],
  ["no time at all", { "retry-after": "soon" }, {}, null],
  [
    "a Retry-After that is none before a reset that is one",
    { "retry-after": "soon", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "42s" },
    {},
    42_000,
  ],
  ["OpenRouter's headers in the body", {}, openRouters(String(IN_42_S)), 42_000],
  [
    "headers in the body, some of which are no text",
    {},
    openRouters(String(IN_42_S), { "x-odd": { toString: false }, "x-none": null }),
    42_000,
  ],
  [
    "words with a part of a second",
    {},
    spoken("Limit 30000, Used 29000, Requested 2000. Please try again in 1.998s. Visit https://x"),
    1998,
  ],
  ["words with minutes", {}, spoken("Please try again in 6m0s."), 360_000],
  ["words with seconds spelt out", {}, spoken("Please retry after 42 seconds."), 42_000],
  ["words without a unit", {}, spoken("Please try again in 42"), null],
  ["a day", {}, spoken("Please try again in 24h0m0s."), 3_600_000],
] as const) {
  test(`a limit of rate is believed with its time to wait: ${name}`, async () => {
    const date = new Date(NOW).toUTCString();
    const { pool } = await call(inTurn(says(429, body, { date, ...headers }), ok), {
      clock: new FakeClock(NOW),
    });
    assert.deepEqual(pool.outcomes, ["RATE_LIMITED", "OK"]);
    assert.equal(pool.releases[0]?.result.retryAfterMs, wanted);
  });
}

for (const [name, ours, date, wanted] of [
  ["ours is an hour behind", NOW - 3_600_000, new Date(NOW).toUTCString(), 42_000],
  ["ours is an hour ahead", NOW + 3_600_000, new Date(NOW).toUTCString(), 42_000],
  ["both agree, as far as seconds tell", NOW + 1500, new Date(NOW).toUTCString(), 40_500],
  ["the reply tells no date", NOW, "", 42_000],
  ["what the reply tells is no date", NOW, "7", 42_000],
] as const) {
  test(`a moment is one of the provider's clock: ${name}`, async () => {
    const clock = new FakeClock(ours);
    const moment = new Date(IN_42_S).toISOString();
    const limited = says(429, {}, { date, "retry-after": moment });
    const reset = { "anthropic-ratelimit-tokens-remaining": "0" };
    const used = says(429, {}, { date, ...reset, "anthropic-ratelimit-tokens-reset": moment });
    const inside = says(429, openRouters(String(IN_42_S)), { date });
    const metadata = { limit_source: "openrouter_workspace_budget", resets_at: moment };
    const error = { code: 403, message: "Budget limit exceeded", metadata };
    const spent = says(403, { error }, { date });
    for (const refused of [limited, used, inside, spent]) {
      const { pool } = await call(inTurn(refused, ok), { clock });
      assert.equal(pool.releases[0]?.result.retryAfterMs, wanted);
    }
  });
}

test("an overloaded provider's time to wait is believed for a minute, another failure's is not", async () => {
  for (const [status, retryAfter, wanted] of [
    [503, "42", 42_000],
    [529, "42", 42_000],
    [503, "3600", 60_000],
    [500, "42", null],
  ] as const) {
    const { pool } = await call(inTurn(says(status, {}, { "retry-after": retryAfter }), ok));
    assert.deepEqual(pool.outcomes, ["PROVIDER_ERROR", "OK"]);
    assert.equal(pool.releases[0]?.result.retryAfterMs, wanted, `${String(status)} ${retryAfter}`);
  }
});

test("a budget's reset beside its refusal is believed", async () => {
  const metadata = {
    limit_source: "openrouter_workspace_budget",
    resets_at: new Date(NOW + 86_400_000).toISOString(),
  };
  const script = inTurn(
    says(
      403,
      { error: { code: 403, message: "Budget limit exceeded", metadata } },
      { date: new Date(NOW).toUTCString() },
    ),
    ok,
  );
  const { pool } = await call(script, { clock: new FakeClock(NOW) });
  assert.deepEqual(pool.outcomes, ["QUOTA_EXHAUSTED", "OK"]);
  assert.equal(pool.releases[0]?.result.retryAfterMs, 86_400_000);
});
