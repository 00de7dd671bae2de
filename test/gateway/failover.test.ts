import assert from "node:assert/strict";
import { test } from "node:test";
import { Fault } from "../../server/core/fault.js";
import {
  CHAT_REPLY,
  chatEvents,
  inTurn,
  messageEvents,
  replyEvents,
  replyJson,
  type Script,
} from "../support/upstream-stub.js";
import { FakeClock, settle, settleWhile } from "../support/fake-clock.js";
import { GATEWAY_LIMITS } from "../../server/gateway/limits.js";
import { advanceUntil } from "./fixture.js";
import { CHAT, ok, refusal, SECRETS, stubbedGateway } from "./stubbed-gateway.js";

const GONE = refusal(404, "model_not_found");

/** Turns of the event loop after which a head has come from the stub. */
const HEAD_ARRIVES_TURNS = 50;

const site = stubbedGateway(SECRETS);
const { bound } = site;

test("a key that the provider refuses is followed by the next, and the caller notices nothing", async () => {
  const { post, pool, sink } = await bound();
  site.stub.script = inTurn(refusal(401, "invalid_api_key"), refusal(403, "permission_error"), ok);
  const response = await post(CHAT);
  assert.equal(response.status, 200);
  assert.deepEqual(
    site.stub.received.map((each) => each.secret),
    SECRETS.slice(0, 3),
  );
  assert.deepEqual(pool.outcomes, ["KEY_REFUSED", "RIGHT_REFUSED", "OK"]);
  assert.deepEqual(pool.outdone, ["pk_1"], "another key of the same has the right");
  assert.deepEqual(
    sink.records[0]?.attempts.map((each) => [each.providerKeyId, each.httpStatus, each.outcome]),
    [
      ["pk_0", 401, "KEY_REFUSED"],
      ["pk_1", 403, "RIGHT_REFUSED"],
      ["pk_2", 200, "OK"],
    ],
  );
  assert.equal(sink.records[0]?.providerKeyId, "pk_2");
  assert.equal(pool.leased, 0);
});

test("when every key is refused the caller is not told that its own is bad", async () => {
  const { post, pool } = await bound({ secrets: SECRETS.slice(0, 2) });
  site.stub.script = replyJson(
    401,
    JSON.stringify({ error: { message: `Incorrect API key provided: ${SECRETS[0] ?? ""}` } }),
  );
  const response = await post(CHAT);
  assert.equal(response.status, 502);
  const text = await response.text();
  assert.match(text, /upstream_refused_key/);
  assert.doesNotMatch(text, /sk-first/);
  assert.deepEqual(pool.outcomes, ["KEY_REFUSED", "KEY_REFUSED"]);
});

test("a bad Gemini key, which Google refuses with 400, is a refused key", async () => {
  const { send, pool } = await bound({
    providers: [{ baseUrl: site.stub.origin, dialect: "GEMINI" }],
  });
  const body = {
    error: {
      code: 400,
      message: "API key not valid. Please pass a valid API key.",
      status: "INVALID_ARGUMENT",
      details: [{ reason: "API_KEY_INVALID" }],
    },
  };
  site.stub.script = inTurn(
    replyJson(400, JSON.stringify(body)),
    replyJson(200, '{"candidates":[]}'),
  );
  assert.equal(
    (await send("/v1beta/models/gemini-2.5-pro:generateContent", { contents: [] })).status,
    200,
  );
  assert.deepEqual(pool.outcomes, ["KEY_REFUSED", "OK"]);
});

for (const [name, headers, body, wanted] of [
  ["Retry-After in seconds", { "retry-after": "7" }, {}, 7000],
  [
    "Retry-After as a date",
    { "retry-after": new Date(Date.now() + 3_600_000 * 5).toUTCString() },
    {},
    3_600_000,
  ],
  ["retry-after-ms before Retry-After", { "retry-after": "7", "retry-after-ms": "1500" }, {}, 1500],
  [
    "the reset of the limit that is used up",
    {
      "x-ratelimit-remaining-requests": "5",
      "x-ratelimit-reset-requests": "1h",
      "x-ratelimit-remaining-tokens": "0",
      "x-ratelimit-reset-tokens": "6m0.5s",
    },
    {},
    360_500,
  ],
  ["Gemini's retryDelay", {}, { details: [{ retryDelay: "34s" }] }, 34_000],
  ["nothing", {}, {}, null],
] as const) {
  test(`a rate limit is passed to the pool with its time to wait: ${name}`, async () => {
    const { post, pool } = await bound();
    const error = JSON.stringify({
      error: { message: "slow down", code: "rate_limit_exceeded", ...body },
    });
    site.stub.script = inTurn(replyJson(429, error, headers), ok);
    assert.equal((await post(CHAT)).status, 200);
    assert.deepEqual(pool.outcomes, ["RATE_LIMITED", "OK"]);
    assert.equal(pool.releases[0]?.result.retryAfterMs, wanted);
  });
}

test("a used-up quota is told from a rate", async () => {
  for (const [status, body, outcome] of [
    [429, { error: { code: "insufficient_quota", message: "x" } }, "QUOTA_EXHAUSTED"],
    [402, { error: { message: "Insufficient Balance" } }, "QUOTA_EXHAUSTED"],
    [
      400,
      {
        type: "error",
        error: {
          type: "invalid_request_error",
          message: "Your credit balance is too low to access the API.",
        },
      },
      "QUOTA_EXHAUSTED",
    ],
    [
      429,
      {
        error: {
          code: 429,
          status: "RESOURCE_EXHAUSTED",
          message: "You exceeded your current quota, please check your plan and billing details.",
          details: [{ quotaId: "GenerateRequestsPerMinutePerProject" }],
        },
      },
      "RATE_LIMITED",
    ],
    [
      429,
      {
        error: {
          code: 429,
          status: "RESOURCE_EXHAUSTED",
          message: "x",
          details: [{ quotaId: "GenerateRequestsPerDayPerProject" }],
        },
      },
      "QUOTA_EXHAUSTED",
    ],
    [
      429,
      {
        error: {
          code: 429,
          status: "RESOURCE_EXHAUSTED",
          message: "x",
          details: [
            { quotaId: "GenerateRequestsPerDayPerProjectPerModel-FreeTier" },
            { retryDelay: "9s" },
          ],
        },
      },
      "RATE_LIMITED",
    ],
    [429, { error: { type: "requests", code: "rate_limit_exceeded" } }, "RATE_LIMITED"],
  ] as const) {
    const { post, pool } = await bound();
    site.stub.script = inTurn(replyJson(status, JSON.stringify(body)), ok);
    assert.equal((await post(CHAT)).status, 200);
    assert.equal(pool.outcomes[0], outcome, JSON.stringify(body));
  }
});

test("a model that a key may not use is asked for with another, and the key is not blamed", async () => {
  for (const [status, body] of [
    [404, { error: { code: "model_not_found", message: "The model `m` does not exist" } }],
    [403, { error: { code: "model_not_found", message: "Project has no access to model `m`" } }],
    [404, { type: "error", error: { type: "not_found_error", message: "model: m" } }],
    [404, { error: { code: "DeploymentNotFound", message: "The deployment does not exist." } }],
    [404, { error: { code: 404, message: "models/m is not found for API version v1beta" } }],
    [400, { error: { type: "invalid_request_error", message: "Model Not Exist" } }],
  ] as const) {
    const { post, pool } = await bound();
    site.stub.script = inTurn(replyJson(status, JSON.stringify(body)), ok);
    assert.equal((await post(CHAT)).status, 200, JSON.stringify(body));
    assert.deepEqual(pool.outcomes, ["MODEL_REFUSED", "OK"]);
  }
});

test("a model that nobody knows is looked for with every key, and names that a user makes up with three", async () => {
  const secrets = Array.from({ length: 10 }, (_, at) => `sk-${String(at)}-000000000000000000000`);
  const { post } = await bound({ secrets });
  const tries = async (...scripts: readonly Script[]): Promise<readonly [number, number]> => {
    site.stub.received.length = 0;
    site.stub.script = inTurn(...scripts);
    const response = await post(CHAT);
    const text = await response.text();
    if (response.status === 404) assert.match(text, /said model_not_found/);
    return [response.status, site.stub.received.length];
  };
  for (let nth = 0; nth < 7; nth++) assert.deepEqual(await tries(GONE), [404, 10]);
  assert.deepEqual(await tries(GONE, GONE, GONE, ok), [200, 4]);
  assert.deepEqual(await tries(GONE), [404, 10], "it is known");
  const { post: ask } = await bound({ secrets });
  for (let nth = 0; nth < 8; nth++) await (await ask(CHAT)).text();
  site.stub.received.length = 0;
  assert.equal((await ask(CHAT)).status, 404);
  assert.equal(site.stub.received.length, 3);
});

test("a model that is listed, or was served once, is asked for with every key", async () => {
  const noModel = refusal(404, "model_not_found");
  const listed = await site.start();
  listed.router.listed = true;
  site.stub.script = inTurn(noModel, noModel, noModel, ok);
  assert.equal((await listed.post("/v1/chat/completions", CHAT)).status, 200);

  const { post } = await bound();
  site.stub.script = inTurn(ok, noModel, noModel, noModel, ok);
  assert.equal((await post(CHAT)).status, 200);
  assert.equal((await post(CHAT)).status, 200);
});

test("after three keys that do not serve a listed model its other targets come first", async () => {
  const gateway = await site.start({
    providers: [{ baseUrl: site.stub.origin }, { baseUrl: site.stub.origin }],
    secrets: [...SECRETS, "sk-fifth-0000000000000000000"],
  });
  gateway.router.listed = true;
  gateway.pool.keysPerProvider = 4;
  const noModel = refusal(404, "model_not_found");
  site.stub.script = inTurn(noModel, noModel, noModel, ok);
  assert.equal((await gateway.post("/v1/chat/completions", CHAT)).status, 200);
  const orders = gateway.pool.requests.map(({ route }) =>
    route.targets.map(({ provider }) => provider.id).join(),
  );
  const [first, last] = ["prv_0,prv_1", "prv_1,prv_0"];
  assert.deepEqual(orders, [first, first, first, last]);
});

test("what another account has made does not take a key out, and is looked for with another", async () => {
  for (const [status, body] of [
    [400, { error: { code: "previous_response_not_found", message: "Previous response with id" } }],
    [403, { error: { status: "PERMISSION_DENIED", message: "CachedContent not found" } }],
    [
      403,
      {
        error: {
          status: "PERMISSION_DENIED",
          message: "You do not have permission to access the File abc or it may not exist.",
        },
      },
    ],
  ] as const) {
    const { post, pool } = await bound();
    site.stub.script = inTurn(replyJson(status, JSON.stringify(body)), ok);
    assert.equal((await post(CHAT)).status, 200, JSON.stringify(body));
    assert.deepEqual(pool.outcomes, ["REQUEST_REFUSED", "OK"]);
  }
});

test("when all keys are limited the provider's 429 goes on with the time to wait", async () => {
  const { post, sink } = await bound({ secrets: SECRETS.slice(0, 2) });
  const body =
    '{"error":{"message":"Rate limit reached","type":"requests","param":null,"code":"rate_limit_exceeded"}}';
  site.stub.script = replyJson(429, body, { "retry-after-ms": "1500", "x-should-retry": "true" });
  const response = await post(CHAT);
  assert.equal(response.status, 429);
  assert.equal(await response.text(), body);
  assert.equal(response.headers.get("retry-after-ms"), "1500");
  assert.equal(response.headers.get("retry-after"), "2");
  assert.equal(response.headers.get("x-should-retry"), "true");
  assert.equal(sink.records[0]?.errorCode, "rate_limit_exceeded");
  assert.equal(sink.records[0]?.httpStatus, 429);
});

test("when every quota is used up the caller hears what the next call would hear", async () => {
  const { post } = await bound({ secrets: SECRETS.slice(0, 1) });
  site.stub.script = refusal(429, "insufficient_quota");
  const response = await post(CHAT);
  assert.equal(response.status, 503);
  assert.equal(((await response.json()) as { detail: string }).detail, "该用户暂无可用的 Token");
});

test("an error is told to be the key's where another key serves the call, and no key's where none does", async () => {
  const { post, pool } = await bound({ secrets: SECRETS.slice(0, 2) });
  site.stub.script = inTurn(refusal(500, "server_error"), ok);
  assert.equal((await post(CHAT)).status, 200);
  assert.deepEqual(pool.outdone, ["pk_0"]);
  site.stub.script = refusal(500, "server_error");
  assert.equal((await post(CHAT)).status, 500);
  assert.deepEqual(pool.outdone, ["pk_0"]);
});

test("a key hears whether its provider had the request that it failed", async () => {
  const { post, pool } = await bound({ secrets: SECRETS.slice(0, 2) });
  site.stub.script = inTurn((_received, res) => void res.destroy(), ok);
  assert.equal((await post(CHAT)).status, 200);
  assert.deepEqual(pool.outdone, ["pk_0"], "it broke off where another served");
  const unreachable = await bound({ providers: [{ baseUrl: "http://127.0.0.1:1/v1" }] });
  assert.equal((await unreachable.post(CHAT)).status, 502);
  const unsent = (each: typeof pool) => each.releases.map(({ result }) => result.unsent);
  assert.deepEqual(unsent(pool), [false, false]);
  assert.ok(unsent(unreachable.pool).every((each) => each));
});

test("failures that cost time are tried a few times, refusals as long as there are keys", async () => {
  const limits = { providerFailuresMax: 3 };
  const { post, pool } = await bound({
    limits,
    secrets: [...SECRETS, "sk-fifth-00000000000000000000"],
  });
  site.stub.script = refusal(500, "server_error");
  const response = await post(CHAT);
  assert.equal(response.status, 500);
  assert.match(await response.text(), /said server_error/);
  assert.equal(site.stub.received.length, 3);
  site.stub.received.length = 0;
  site.stub.script = inTurn(
    refusal(429, "x"),
    refusal(401, "x"),
    refusal(429, "x"),
    refusal(401, "x"),
    ok,
  );
  assert.equal((await post(CHAT)).status, 200);
  assert.equal(site.stub.received.length, 5);
  assert.equal(pool.leased, 0);
});

test("an overloaded Anthropic keeps its status and its words", async () => {
  const { send } = await bound({
    providers: [{ baseUrl: site.stub.origin, dialect: "ANTHROPIC" }],
    secrets: SECRETS.slice(0, 1),
  });
  const body =
    '{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"req_1"}';
  site.stub.script = replyJson(529, body, { "request-id": "req_1" });
  const response = await send("/v1/messages", { model: "claude", max_tokens: 1 });
  assert.equal(response.status, 529);
  assert.equal(await response.text(), body);
  assert.equal(response.headers.get("request-id"), "req_1");
});

test("an overload tells the caller when to come back: as the provider says, else as the pool knows, else in a second", async () => {
  for (const httpStatus of [503, 529]) {
    const { post, pool } = await bound({ secrets: SECRETS.slice(0, 1) });
    for (const [headers, backMs, seconds] of [
      [{ "retry-after": "17" }, 3_000_000, "17"],
      [{}, 42_000, "42"],
      [{}, null, "1"],
    ] as const) {
      pool.backMs = backMs;
      site.stub.script = replyJson(httpStatus, '{"error":{"message":"overloaded"}}', headers);
      const response = await post(CHAT);
      assert.equal(response.status, httpStatus);
      assert.equal(response.headers.get("retry-after"), seconds);
    }
  }
});

test("after an outage another provider is tried before the other keys of the same, which come last", async () => {
  const gone = "http://127.0.0.1:1";
  for (const [first, outcome, status] of [
    [site.stub.origin, "PROVIDER_ERROR", 503],
    [gone, "UNREACHABLE", 500],
  ] as const) {
    const providers = [{ baseUrl: first }, { baseUrl: site.stub.origin }];
    const { post, pool } = await bound({ providers, secrets: SECRETS.slice(0, 4) });
    pool.keysPerProvider = 2;
    const asked = (): string[] => pool.releases.map(({ providerKeyId }) => providerKeyId);
    site.stub.script = inTurn(...(first === gone ? [] : [replyJson(status, "{}")]), ok);
    assert.equal((await post(CHAT)).status, 200);
    assert.deepEqual(asked(), ["pk_0", "pk_2"]);
    assert.deepEqual(pool.outcomes, [outcome, "OK"]);
    site.stub.script = replyJson(503, "{}");
    pool.releases.length = 0;
    await post(CHAT);
    assert.deepEqual(asked(), ["pk_0", "pk_2", "pk_1", "pk_3"], "none is left out");
  }
});

test("a request that the provider refuses is not tried again, and its answer goes on", async () => {
  const { post, pool, sink } = await bound();
  const body =
    '{"error":{"message":"max_tokens is too large","type":"invalid_request_error","param":"max_tokens","code":null}}';
  site.stub.script = replyJson(400, body);
  const response = await post(CHAT);
  assert.equal(response.status, 400);
  assert.equal(await response.text(), body);
  assert.equal(site.stub.received.length, 1);
  assert.deepEqual(pool.outcomes, ["REQUEST_REFUSED"]);
  assert.equal(sink.records[0]?.status, "ERROR");
});

test("whatever form the key takes in a provider's error, it does not reach the caller", async () => {
  const secret = "sk-odd+/key=0123456789abcdef";
  const echoes = [
    secret,
    encodeURIComponent(secret),
    Buffer.from(secret).toString("base64"),
    Buffer.from(secret).toString("base64url"),
    Buffer.from(secret).toString("hex"),
    secret.slice(0, 14),
    secret.slice(14),
  ];
  const { post, sink, log } = await bound({ secrets: [secret] });
  for (const status of [400, 404, 422, 429, 500]) {
    site.stub.script = replyJson(
      status,
      JSON.stringify({ error: { message: `you sent ${echoes.join(" and ")}` } }),
    );
    const text = await (await post(CHAT)).text();
    for (const echo of echoes) assert.ok(!text.includes(echo), `${String(status)}: ${echo}`);
  }
  const written = JSON.stringify([sink.records, log.lines]);
  for (const echo of echoes) assert.ok(!written.includes(echo), echo);
});

test("a whole reply that is cut is known to be cut", async () => {
  const { post, pool } = await bound();
  const cut: Script = (_received, res) => {
    const head =
      "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 9999\r\n\r\n";
    res.socket?.end(head + CHAT_REPLY);
  };
  site.stub.script = inTurn(cut, ok);
  assert.equal((await post(CHAT)).status, 200);
  assert.deepEqual(pool.outcomes, ["CUT", "OK"]);
});

test("a model that no key may use is not waited for", async () => {
  const { post, pool } = await bound();
  pool.refusal = new Fault("model_not_found", "No key may use it.");
  pool.backMs = 1;
  site.stub.script = refusal(429, "x");
  assert.equal((await post(CHAT)).status, 429);
  assert.equal(site.stub.received.length, SECRETS.length);
});

test("what is no reply is never passed for one", async () => {
  const page = "<html><body>502 Bad Gateway</body></html>";
  const scripts: readonly (readonly [Script, number])[] = [
    [html(200, page), 502],
    [html(502, page), 502],
    [html(404, page), 404],
    [replyJson(200, "oops"), 502],
    [replyJson(200, "upstream connect error", { "content-type": "text/plain" }), 502],
    [replyJson(200, ""), 502],
    [replyJson(200, '{"id":"x"'), 502],
    [replyJson(200, '{"error":{"message":"inside"}}'), 502],
    [replyJson(302, "", { location: "http://127.0.0.1:1/steal" }), 502],
    [replyJson(307, "", { location: "http://127.0.0.1:1/steal" }), 502],
    [replyJson(302, CHAT_REPLY, { location: "http://127.0.0.1:1/steal" }), 502],
    [replyEvents(['data: {"error":{"message":"no"}}\n\n']), 502],
    [(_received, res) => void res.socket?.destroy(), 502],
    [(_received, res) => void res.socket?.end("HTTP/1.1 garbage\r\n\r\n"), 502],
    [
      (_received, res) =>
        void res.socket?.end(`HTTP/1.1 200 OK\r\nx: ${"y".repeat(20_000)}\r\n\r\n`),
      502,
    ],
    [
      (_received, res) =>
        void res.socket?.end(
          "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{}",
        ),
      502,
    ],
  ];
  const { post, pool } = await bound({ secrets: SECRETS.slice(0, 1) });
  for (const [script, status] of scripts) {
    site.stub.script = script;
    const response = await post(CHAT);
    assert.equal(response.status, status, String(script));
    const body = (await response.json()) as { error: { message: string } };
    assert.equal(typeof body.error.message, "string");
    assert.notEqual(pool.outcomes.at(-1), "OK");
  }
});

test("a stream that opens with an error is tried elsewhere", async () => {
  const { post, pool } = await bound();
  site.stub.script = inTurn(
    replyEvents(['data: {"error":{"message":"rate_limit reached"}}\n\n']),
    replyEvents(chatEvents(["hi"])),
  );
  const response = await post({ ...CHAT, stream: true });
  assert.equal(await response.text(), chatEvents(["hi"]).join(""));
  assert.deepEqual(pool.outcomes, ["RATE_LIMITED", "OK"]);

  const anthropic = await bound({
    providers: [{ baseUrl: site.stub.origin, dialect: "ANTHROPIC" }],
  });
  const overloaded =
    'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n';
  site.stub.script = inTurn(replyEvents([overloaded]), replyEvents(messageEvents(["hi"])));
  const second = await anthropic.send("/v1/messages", { model: "claude", stream: true });
  assert.equal(await second.text(), messageEvents(["hi"]).join(""));
  assert.deepEqual(anthropic.pool.outcomes, ["PROVIDER_ERROR", "OK"]);
});

test("a provider that does not know stream_options is asked again without, and not again", async () => {
  const { post, pool } = await bound();
  site.stub.script = (received, res) =>
    received.body.includes("stream_options")
      ? replyJson(400, '{"error":{"message":"Unknown parameter: stream_options"}}')(received, res)
      : replyEvents(chatEvents(["hi"]))(received, res);
  for (const requests of [2, 3]) {
    const response = await post({ ...CHAT, stream: true });
    assert.equal(await response.text(), chatEvents(["hi"]).join(""));
    assert.equal(site.stub.received.length, requests);
  }
  assert.deepEqual(pool.outcomes, ["OK", "OK"]);
});

test("what one caller has a provider refuse takes no other's usage: only what is served without it shows that", async () => {
  const { post } = await bound();
  const refused = `{"error":{"message":"Unknown parameter: 'stream_options.bogus'."}}`;
  site.stub.script = (received, res) =>
    received.body.includes("bogus")
      ? replyJson(400, refused)(received, res)
      : replyEvents(chatEvents(["a"], true))(received, res);
  const odd = await post({ ...CHAT, stream: true, stream_options: { bogus: 1 } });
  assert.equal(odd.status, 400);
  assert.equal(await odd.text(), refused);
  assert.equal(site.stub.received.length, 2);
  const plain = await post({ ...CHAT, stream: true });
  assert.equal(await plain.text(), chatEvents(["a"]).join(""));
  assert.match(String(site.stub.received[2]?.body), /"include_usage":true/);
});

test("a provider that refuses stream_options inside its stream is asked again without all the same", async () => {
  const { post, pool } = await bound();
  const unknown = 'data: {"error":{"code":400,"message":"Unknown parameter: stream_options"}}\n\n';
  site.stub.script = inTurn(replyEvents([unknown]), replyEvents(chatEvents(["hi"])));
  const response = await post({ ...CHAT, stream: true });
  assert.equal(await response.text(), chatEvents(["hi"]).join(""));
  assert.doesNotMatch(String(site.stub.received[1]?.body), /stream_options/);
  assert.deepEqual(pool.outcomes, ["OK"]);
});

test("a provider that nobody answers for is 502, and its address stays in the house", async () => {
  const { post, pool } = await bound({
    providers: [{ baseUrl: "http://127.0.0.1:9/secret-path" }],
    secrets: SECRETS.slice(0, 2),
  });
  const response = await post(CHAT);
  assert.equal(response.status, 502);
  const text = await response.text();
  assert.match(text, /upstream_unreachable/);
  assert.doesNotMatch(text, /127\.0\.0\.1|secret-path/);
  assert.deepEqual(pool.outcomes, ["UNREACHABLE", "UNREACHABLE"]);
});

test("a base URL that the policy refuses is not talked to", async () => {
  const { post } = await bound({ allowCidrs: [] });
  const response = await post(CHAT);
  assert.equal(response.status, 502);
  assert.match(await response.text(), /base_url_not_allowed/);
  assert.equal(site.stub.received.length, 0);
});

test("a base URL that the policy refuses stops neither other providers nor its own keys", async () => {
  const providers = [{ baseUrl: "http://10.0.0.1" }, { baseUrl: site.stub.origin }];
  const { post, pool } = await bound({ providers });
  site.stub.script = ok;
  assert.equal((await post(CHAT)).status, 200);
  assert.deepEqual(pool.outcomes, ["UNREACHABLE", "OK"]);
  assert.equal(pool.releases[0]?.result.unsent, true);
  assert.deepEqual(pool.unreadable, []);
});

test("a provider key that cannot be opened does not stop the others; a locked vault stops all", async () => {
  const { post, pool } = await bound();
  const open = pool.open.bind(pool);
  pool.open = (key) => {
    if (key.id === "pk_0")
      throw new Fault("secret_unreadable", "The stored secret cannot be opened.");
    return open(key);
  };
  site.stub.script = ok;
  assert.equal((await post(CHAT)).status, 200);
  assert.deepEqual(pool.unreadable, ["pk_0"]);
  assert.equal(site.stub.received[0]?.secret, SECRETS[1]);
  pool.openFault = new Fault("vault_locked", "The vault is locked.");
  pool.open = (): never => {
    throw new Fault("vault_locked", "The vault is locked.");
  };
  const locked = await post(CHAT);
  assert.equal(locked.status, 503);
  assert.match(await locked.text(), /vault_locked/);
  assert.equal(pool.leased, 0);
});

test("a secret that takes its time to open is waited for", async () => {
  const { post, pool } = await bound();
  pool.opening = settle();
  site.stub.script = replyEvents(chatEvents(["a"]));
  const reply = await post({ ...CHAT, stream: true });
  assert.equal(await reply.text(), chatEvents(["a"]).join(""));
  assert.match(String(site.stub.received[0]?.body), /"include_usage":true/);
});

test("a secret that after a while proves unreadable is as one that was at once, and hurts no call that was left", async () => {
  const { post, pool } = await bound();
  let fail: () => void = () => undefined;
  const open = pool.open.bind(pool);
  pool.open = (key) =>
    key.id === "pk_0"
      ? new Promise((_resolve, reject) => {
          fail = () => {
            reject(new Fault("secret_unreadable", "The stored secret cannot be opened."));
          };
          setImmediate(fail);
        })
      : open(key);
  site.stub.script = ok;
  assert.equal((await post(CHAT)).status, 200);
  assert.deepEqual(pool.unreadable, ["pk_0"]);
  assert.deepEqual(pool.outcomes, ["UNREACHABLE", "OK"]);
});

test("the head of a stream that failed before its first event is not sent while another key is tried", async () => {
  const clock = new FakeClock();
  const { post, sink } = await bound({ clock, secrets: SECRETS.slice(0, 2) });
  const held: (() => void)[] = [];
  site.stub.script = inTurn(
    (_received, res) => {
      res.writeHead(200, { "content-type": "text/event-stream" });
      res.flushHeaders();
      setImmediate(() => void res.socket?.destroy());
    },
    (received, res) => {
      held.push(() => void replyEvents(chatEvents(["hi"]))(received, res));
    },
  );
  const answer = post({ ...CHAT, stream: true });
  await settleWhile(() => held.length === 0);
  for (let i = 0; i < 3; i++) clock.advance(1_000);
  held[0]?.();
  const response = await advanceUntil(clock, answer);
  assert.equal(await response.text(), chatEvents(["hi"]).join(""));
  assert.deepEqual(
    sink.records[0]?.attempts.map((each) => each.outcome),
    ["CUT", "OK"],
  );
});

test("what has an id is looked for with every key, and found where it was made", async () => {
  const started = await site.start();
  const missing = replyJson(404, '{"error":{"message":"No such response"}}');
  site.stub.script = (received, res) =>
    (received.secret === SECRETS[2] ? replyJson(200, '{"id":"resp_1"}') : missing)(received, res);
  const found = await started.fetch("/v1/responses/resp_1");
  assert.equal(found.status, 200);
  assert.equal(site.stub.received.length, 3);
  assert.equal(started.pool.requests[0]?.home, "");
  assert.equal((await started.fetch("/v1/responses/resp_1")).status, 200);
  assert.equal(started.pool.requests[3]?.home, "pk_2", "where it was found");
  assert.equal(started.sink.records[0]?.modelServed, null);
  site.stub.script = missing;
  const gone = await started.fetch("/v1/responses/resp_2");
  assert.equal(gone.status, 404);
  assert.match(await gone.text(), /No such response/);
});

test("a kept connection that the provider closed meanwhile is not the provider's failure", async () => {
  const { post, pool } = await bound({ secrets: SECRETS.slice(0, 1) });
  site.stub.script = ok;
  assert.equal((await post(CHAT)).status, 200);
  let calls = 0;
  site.stub.script = (received, res) => {
    calls++;
    if (calls === 1) res.socket?.resetAndDestroy();
    else void ok(received, res);
  };
  assert.equal((await post(CHAT)).status, 200);
  assert.equal(calls, 2);
  assert.deepEqual(pool.outcomes, ["OK", "OK"]);
});

function html(status: number, body: string): Script {
  return (_received, res) => {
    res.writeHead(status, { "content-type": "text/html; charset=utf-8" });
    res.end(body);
  };
}

test("a stream that breaks off right after its head is tried elsewhere, however long the call had waited for it", async () => {
  const clock = new FakeClock();
  const { post, pool } = await bound({ clock });
  let begin: () => void = () => undefined;
  let breakOff: () => void = () => undefined;
  site.stub.script = inTurn(
    (_received, res) => {
      begin = () => {
        res.writeHead(200, { "content-type": "text/event-stream" });
        res.flushHeaders();
      };
      breakOff = () => void res.socket?.destroy();
    },
    replyEvents(chatEvents(["a"])),
  );
  const pending = post({ ...CHAT, stream: true });
  await settleWhile(() => site.stub.received.length === 0);
  clock.advance(GATEWAY_LIMITS.headHoldMs);
  begin();
  for (let turn = 0; turn < HEAD_ARRIVES_TURNS; turn++) await settle();
  clock.advance(GATEWAY_LIMITS.headHoldMs);
  for (let turn = 0; turn < HEAD_ARRIVES_TURNS; turn++) await settle();
  breakOff();
  const response = await pending;
  assert.match(await response.text(), /\[DONE\]/);
  assert.deepEqual(pool.outcomes, ["CUT", "OK"]);
});

test("a model that three keys do not have is not asked for at the others, but at what stands behind it", async () => {
  const providers = [{ baseUrl: site.stub.origin }, { baseUrl: site.stub.origin }];
  const secrets = Array.from({ length: 10 }, (_, at) => `sk-${String(at)}-000000000000000000000`);
  const { post, pool, sink } = await bound({ providers, secrets });
  pool.keysPerProvider = 5;
  site.stub.script = inTurn(GONE, GONE, GONE, GONE, GONE, ok);
  assert.equal((await post(CHAT)).status, 200);
  assert.deepEqual(
    sink.records[0]?.attempts.map((each) => each.providerKeyId),
    ["pk_0", "pk_1", "pk_2", "pk_5", "pk_6", "pk_7"],
  );
  site.stub.received.length = 0;
  site.stub.script = GONE;
  const response = await post(CHAT);
  assert.equal(response.status, 404);
  assert.match(await response.text(), /said model_not_found/);
  assert.equal(site.stub.received.length, 3 + 5 + 2, "the further keys of the first come last");
});

test("a provider that fails with three keys is left for another, and asked on where there is none", async () => {
  const secrets = Array.from({ length: 12 }, (_, at) => `sk-${String(at)}-000000000000000000000`);
  const down = refusal(500, "server_error");
  const two = await bound({
    providers: [{ baseUrl: site.stub.origin }, { baseUrl: site.stub.origin }],
    secrets,
  });
  two.pool.keysPerProvider = 6;
  site.stub.script = inTurn(down, down, down, ok);
  assert.equal((await two.post(CHAT)).status, 200);
  assert.deepEqual(
    two.sink.records[0]?.attempts.map((each) => each.providerKeyId),
    ["pk_0", "pk_1", "pk_2", "pk_6"],
  );
  const one = await bound({ secrets });
  site.stub.received.length = 0;
  site.stub.script = inTurn(down, down, down, down, down, ok);
  assert.equal((await one.post(CHAT)).status, 200);
  assert.equal(site.stub.received.length, 6);
});

test("the first byte of a stream proves its key, long before the end", async () => {
  const { post, pool } = await bound();
  const events = chatEvents(["one", "two"]);
  let goOn: () => void = () => undefined;
  site.stub.script = inTurn(refusal(500, "server_error"), (_received, res) => {
    res.writeHead(200, { "content-type": "text/event-stream" });
    res.write(events[0]);
    goOn = () => void res.end(events.slice(1).join(""));
  });
  const response = await post({ ...CHAT, stream: true });
  assert.deepEqual(pool.proven, ["pk_1"]);
  assert.equal(pool.leased, 1);
  goOn();
  assert.match(await response.text(), /\[DONE\]/);
  assert.equal(pool.leased, 0);
  assert.deepEqual(pool.outcomes, ["PROVIDER_ERROR", "OK"]);
});

test("a provider's own refusal comes as it was sent, in whatever JSON it says what is wrong", async () => {
  const { post, sink } = await bound({ secrets: SECRETS.slice(0, 1) });
  for (const refusal of [
    { detail: [{ loc: ["body", "n"], msg: "Input should be less than 9", type: "less_than" }] },
    { detail: "Extra inputs are not permitted" },
    { object: "error", message: "Extra inputs", code: 422 },
    { object: "error", message: { detail: [{ msg: "Field required", type: "missing" }] } },
    { Message: "Bad field" },
  ]) {
    const body = JSON.stringify(refusal);
    site.stub.script = replyJson(422, body);
    const response = await post(CHAT);
    assert.equal(response.status, 422);
    assert.equal(await response.text(), body);
    assert.match(
      sink.records.at(-1)?.attempts[0]?.detail ?? "",
      /HTTP 422: .*(?:field|less|Extra)/i,
    );
  }
});

test("what a provider refuses in plain text is told in the caller's dialect, without a secret", async () => {
  const { post } = await bound({ secrets: SECRETS.slice(0, 1) });
  site.stub.script = replyJson(422, `n is too large for ${SECRETS[0] ?? ""}`, {
    "content-type": "text/plain",
  });
  const response = await post(CHAT);
  const { error } = (await response.json()) as { error: { message: string } };
  assert.match(error.message, /refused the request \(HTTP 422: n is too large for/);
  assert.ok(!error.message.includes(SECRETS[0] ?? ""));
});
