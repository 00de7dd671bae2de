import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { FAULT_CODES, Fault, type FaultCode } from "../../server/core/fault.js";
import { HTTP_STATUS } from "../../server/gateway/answer/fault-status.js";
import { settleWhile } from "../support/fake-clock.js";
import {
  CHAT_REPLY,
  chatEvents,
  replyJson,
  startUpstreamStub,
  type UpstreamStub,
} from "../support/upstream-stub.js";
import { startDialects, type TestGateway } from "./fixture.js";

const PATHS = {
  OPENAI: "/v1/chat/completions",
  ANTHROPIC: "/v1/messages",
  GEMINI: "/v1beta/models/gemini-2.5-pro:generateContent",
} as const;
const BODY = { model: "m", messages: [], max_tokens: 1 };

let stub: UpstreamStub;
let gateways: Readonly<Record<keyof typeof PATHS, TestGateway>>;

before(async () => {
  stub = await startUpstreamStub();
  gateways = await startDialects(stub.origin);
});

after(async () => {
  for (const gateway of Object.values(gateways)) await gateway.close();
  await stub.close();
});

interface ErrorBody {
  readonly type?: string;
  readonly request_id?: string;
  readonly detail: string;
  readonly error: {
    readonly type?: string;
    readonly code?: string | number;
    readonly message: string;
    readonly status?: string;
    readonly details?: { readonly error_code?: string };
  };
}

async function refusalOf(
  dialect: keyof typeof PATHS,
  fault: Fault,
): Promise<[Response, ErrorBody]> {
  const gateway = gateways[dialect];
  gateway.limiter.refusal = fault;
  const response = await gateway.post(PATHS[dialect], BODY);
  gateway.limiter.refusal = undefined;
  return [response, (await response.json()) as ErrorBody];
}

for (const dialect of ["OPENAI", "ANTHROPIC", "GEMINI"] as const) {
  test(`every fault has its status and the body that ${dialect} SDKs read`, async () => {
    for (const code of FAULT_CODES) {
      const [response, body] = await refusalOf(dialect, new Fault(code, `Message of ${code}.`));
      assert.equal(response.status, HTTP_STATUS[code], code);
      assert.equal(response.headers.get("content-type"), "application/json");
      assert.match(response.headers.get("x-request-id") ?? "", /^call_/);
      assert.equal(body.error.message, `Message of ${code}.`);
      assert.equal(typeof body.detail, "string");
      checkShape(dialect, code, body, response);
    }
  });
}

function checkShape(
  dialect: keyof typeof PATHS,
  code: FaultCode,
  body: ErrorBody,
  response: Response,
): void {
  if (dialect === "OPENAI") {
    assert.equal(body.error.code, code);
    assert.equal(typeof body.error.type, "string");
  } else if (dialect === "ANTHROPIC") {
    assert.equal(body.type, "error");
    assert.match(body.error.type ?? "", /_error$|_too_large$/);
    assert.equal(body.error.details?.error_code, code);
    assert.equal(body.request_id, response.headers.get("x-request-id"));
    assert.equal(response.headers.get("request-id"), body.request_id);
  } else {
    assert.equal(body.error.code, HTTP_STATUS[code]);
    assert.match(body.error.status ?? "", /^[A-Z_]+$/);
  }
}

test("where no provider key is left the detail is exactly what other systems match on", async () => {
  for (const dialect of ["OPENAI", "ANTHROPIC", "GEMINI"] as const) {
    const [pool, poolBody] = await refusalOf(dialect, new Fault("no_public_token", "x"));
    assert.equal(pool.status, 503);
    assert.equal(poolBody.detail, "暂无可用的公共 Token");
    const [own, ownBody] = await refusalOf(dialect, new Fault("no_own_token", "x"));
    assert.equal(own.status, 503);
    assert.equal(ownBody.detail, "该用户暂无可用的 Token");
  }
});

test("429 and 503 say when to come back, and other answers do not", async () => {
  const said = new Fault("rate_limit_exceeded", "x", { retryAfterSeconds: 12.2 });
  assert.equal((await refusalOf("OPENAI", said))[0].headers.get("retry-after"), "13");
  for (const code of FAULT_CODES) {
    const [response] = await refusalOf("OPENAI", new Fault(code, "x"));
    const wanted = response.status === 429 || response.status === 503;
    assert.equal(response.headers.has("retry-after"), wanted, code);
  }
});

test("a body that is no JSON is refused with 400 in the caller's dialect", async () => {
  for (const dialect of ["OPENAI", "ANTHROPIC"] as const) {
    for (const text of ["", "{", "not json", '{"model":', "[]"]) {
      const response = await gateways[dialect].post(PATHS[dialect], text);
      assert.equal(response.status, 400, text);
      const body = (await response.json()) as ErrorBody;
      assert.equal(
        dialect === "OPENAI" ? body.error.code : body.error.details?.error_code,
        "malformed_request",
      );
    }
  }
  assert.equal(stub.received.length, 0);
});

test("a model that is missing, odd or unknown is refused before any provider hears of it", async () => {
  const gateway = gateways.OPENAI;
  const before = gateway.sink.records.length;
  assert.equal((await gateway.post(PATHS.OPENAI, { messages: [] })).status, 400);
  assert.equal((await gateway.post(PATHS.OPENAI, { model: 7 })).status, 400);
  assert.equal((await gateway.post(PATHS.OPENAI, { model: "x".repeat(300) })).status, 400);
  const unknown = await gateway.post(PATHS.OPENAI, { model: "no-such-model" });
  assert.equal(unknown.status, 404);
  assert.equal(((await unknown.json()) as ErrorBody).error.code, "model_not_found");
  const records = gateway.sink.records.slice(before);
  const asked = records.map(({ modelAsked }) => modelAsked);
  assert.deepEqual(asked, ["", "", "x".repeat(256), "no-such-model"]);
  assert.ok(
    records.every(({ costMicros }) => costMicros === 0),
    "what used nothing cost nothing",
  );
  assert.equal(stub.received.length, 0);
});

test("a model that the client key does not allow is refused with 403", async () => {
  const gateway = gateways.OPENAI;
  gateway.authenticator.modelAllowlist = ["gpt-4*"];
  const refused = await gateway.post(PATHS.OPENAI, { model: "o3" });
  assert.equal(refused.status, 403);
  assert.equal(((await refused.json()) as ErrorBody).error.code, "model_not_allowed");
  assert.equal((await gateway.post(PATHS.OPENAI, { model: "gpt-4o" })).status, 200);
  gateway.authenticator.modelAllowlist = [];
});

test("what no translation exists for is refused with a text that says so", async () => {
  const response = await gateways.ANTHROPIC.post("/v1/embeddings", BODY);
  assert.equal(response.status, 400);
  const body = (await response.json()) as ErrorBody;
  assert.equal(body.error.code, "untranslatable");
  assert.match(body.error.message, /ANTHROPIC dialect only/);
  const files = await gateways.ANTHROPIC.fetch("/v1/files");
  const { error } = (await files.json()) as ErrorBody;
  assert.deepEqual([files.status, error.code], [400, "untranslatable"]);
  assert.match(error.message, /^You have keys .*ANTHROPIC dialect only, and \/v1\/files of/);
});

test("a refused call is on record, and a call of nobody only counted", async () => {
  const gateway = gateways.OPENAI;
  gateway.sink.records.length = 0;
  gateway.sink.refusals.length = 0;
  await refusalOf(
    "OPENAI",
    new Fault("budget_exceeded", "The budget of this client key is spent."),
  );
  const [record] = gateway.sink.records;
  assert.equal(record?.status, "ERROR");
  assert.equal(record?.httpStatus, 402);
  assert.equal(record?.errorCode, "budget_exceeded");
  assert.equal(record?.errorMessage, "The budget of this client key is spent.");
  assert.deepEqual(record?.attempts, []);
  gateway.authenticator.refusal = new Fault("revoked_api_key", "x");
  assert.equal((await gateway.post(PATHS.OPENAI, BODY)).status, 401);
  gateway.authenticator.refusal = undefined;
  assert.deepEqual(gateway.sink.refusals, ["revoked_api_key"]);
  assert.equal(gateway.sink.records.length, 1);
});

test("a call that the client key's scopes leave out is on record, for the key's owner to see", async () => {
  const gateway = gateways.OPENAI;
  gateway.sink.records.length = 0;
  gateway.sink.refusals.length = 0;
  gateway.authenticator.scopes = ["embeddings"];
  assert.equal((await gateway.post(PATHS.OPENAI, BODY)).status, 403);
  gateway.authenticator.scopes = [];
  const [record] = gateway.sink.records;
  assert.equal(record?.clientKeyId, "ck_caller");
  assert.equal(record?.errorCode, "scope_not_allowed");
  assert.equal(record?.httpStatus, 403);
  assert.deepEqual(gateway.sink.refusals, []);
});

test("under strict accounting no provider is asked for what cannot be put on record, and a reply that cannot be is withheld", async () => {
  const gateway = gateways.OPENAI;
  gateway.log.lines.length = 0;
  const fail = (): void => {
    gateway.sink.failure = new Fault("storage_unavailable", "The disk is full.");
  };
  stub.script = (received, res) => {
    fail();
    return replyJson(200, CHAT_REPLY)(received, res);
  };
  for (const isAsked of [false, true]) {
    stub.received.length = 0;
    if (!isAsked) fail();
    const response = await gateway.post(PATHS.OPENAI, BODY);
    gateway.sink.failure = undefined;
    assert.equal(response.status, 503);
    assert.equal(((await response.json()) as ErrorBody).error.code, "storage_unavailable");
    assert.equal(stub.received.length, isAsked ? 1 : 0);
    assert.equal(gateway.pool.leased, 0);
  }
  assert.deepEqual(gateway.log.lines, [], "the journal says so, once, and not every call");
  gateway.sink.failure = new Fault("internal", "Something is wrong.");
  assert.equal((await gateway.post(PATHS.OPENAI, BODY)).status, 500);
  gateway.sink.failure = undefined;
  const told: readonly { message: string }[] = gateway.log.lines;
  assert.ok(told.some(({ message }) => message === "call not recorded"));
});

test("what a refusal tells beside its words goes out as headers, in every dialect", async () => {
  const headers = "x-ratelimit-limit-requests: 5\r\nx-ratelimit-remaining-requests: 0\r\n";
  const fault = new Fault("rate_limit_exceeded", "Slow down.", { headers });
  for (const dialect of ["OPENAI", "ANTHROPIC", "GEMINI"] as const) {
    const [response] = await refusalOf(dialect, fault);
    assert.equal(response.headers.get("x-ratelimit-limit-requests"), "5");
    assert.equal(response.headers.get("x-ratelimit-remaining-requests"), "0");
  }
});

test("our own bugs are answered with 500 and say nothing", async () => {
  const gateway = gateways.OPENAI;
  gateway.limiter.refusal = new TypeError("secret internals") as unknown as Fault;
  const response = await gateway.post(PATHS.OPENAI, BODY);
  gateway.limiter.refusal = undefined;
  assert.equal(response.status, 500);
  assert.doesNotMatch(await response.text(), /secret internals/);
  assert.ok(gateway.log.lines.some((line) => line.level === "error"));
});

test("our own bug in counting a stream keeps nothing from the caller, and frees what the call had", async () => {
  const gateway = gateways.OPENAI;
  const { sink } = gateway;
  const cost = sink.cost.bind(sink);
  gateway.log.lines.length = 0;
  let finish: () => void = () => undefined;
  stub.script = (_received, res) => {
    res.writeHead(200, { "content-type": "text/event-stream" });
    const [first, ...others] = chatEvents(["a"]);
    res.write(first);
    finish = () => res.end(others.join(""));
  };
  const response = await gateway.post(PATHS.OPENAI, { ...BODY, stream: true });
  sink.cost = () => {
    throw new TypeError("secret internals");
  };
  finish();
  assert.match(await response.text(), /\[DONE\]/);
  sink.cost = cost;
  await settleWhile(() => gateway.gateway.running > 0);
  assert.equal(gateway.pool.leased, 0);
  assert.equal(gateway.upstream.inFlight, 0);
  assert.equal(gateway.limiter.open, 0);
  assert.equal(sink.records.at(-1)?.costMicros, null);
  assert.equal(gateway.log.lines.at(-1)?.message, "call not settled");
});
