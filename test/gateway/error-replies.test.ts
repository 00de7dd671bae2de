import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { gzipSync } from "node:zlib";
import { UPSTREAM_LIMITS } from "../../server/upstream/limits.js";
import { FakeClock } from "../support/fake-clock.js";
import {
  CHAT_REPLY,
  inTurn,
  replyJson,
  type Script,
  startUpstreamStub,
  type UpstreamStub,
} from "../support/upstream-stub.js";
import { advanceUntil, type Setup, startGateway, type TestGateway } from "./fixture.js";

const CHAT = { model: "m", messages: [] };
const SECRETS = ["sk-first-00000000000000000000", "sk-second-0000000000000000000"];
const REFUSAL = '{"error":{"message":"bad parameter foo","type":"invalid_request_error"}}';

let stub: UpstreamStub;

before(async () => {
  stub = await startUpstreamStub();
});

after(async () => {
  await stub.close();
});

async function during<T>(setup: Setup, use: (gateway: TestGateway) => Promise<T>): Promise<T> {
  const providers = [{ baseUrl: stub.origin }];
  const gateway = await startGateway({ providers, secrets: SECRETS, ...setup });
  try {
    return await use(gateway);
  } finally {
    await gateway.close();
  }
}

/** A reply byte for byte, and the end of its connection. */
function replyRaw(head: readonly string[], body: string | Buffer): Script {
  return (_received, res) => {
    res.socket?.write(`HTTP/1.1 ${head.join("\r\n")}\r\n\r\n`);
    res.socket?.end(body);
  };
}

const packed = gzipSync(REFUSAL);
const LIMITED = ["429 Too Many Requests", "retry-after: 7", "content-type: application/json"];
const REFUSED = ["401 Unauthorized", "content-type: application/json"];

for (const [name, head, body, outcome] of [
  ["compressed and empty", [...LIMITED, "content-encoding: gzip", "content-length: 0"], "", 429],
  ["in an unknown encoding", [...LIMITED, "content-encoding: zstd", "content-length: 1"], "x", 429],
  ["not what it says", [...REFUSED, "content-encoding: gzip", "content-length: 3"], "abc", 401],
  ["cut", [...LIMITED, "content-length: 300"], '{"error":{"mess', 429],
  ["badly framed", [...LIMITED, "transfer-encoding: chunked"], "zz\r\n", 429],
] as const) {
  test(`a refusal is known by its head when its body is ${name}`, async () => {
    await during({}, async (gateway) => {
      stub.script = inTurn(replyRaw(head, body), replyJson(200, CHAT_REPLY));
      assert.equal((await gateway.post("/v1/chat/completions", CHAT)).status, 200);
      const refused = gateway.pool.releases[0]?.result;
      assert.equal(refused?.outcome, outcome === 429 ? "RATE_LIMITED" : "KEY_REFUSED");
      assert.equal(refused.retryAfterMs, outcome === 429 ? 7000 : null);
    });
  });
}

test("a request that the provider refuses has its status although its body does not come whole", async () => {
  const cut = packed.subarray(0, 30);
  const head = ["400 Bad Request", "content-encoding: gzip", "content-length: 30"];
  await during({}, async (gateway) => {
    stub.script = replyRaw(head, cut);
    assert.equal((await gateway.post("/v1/chat/completions", CHAT)).status, 400);
    assert.deepEqual(gateway.pool.outcomes, ["REQUEST_REFUSED"]);
  });
});

test("a refusal whose body never ends is judged after a few seconds, and another key serves the call", async () => {
  const clock = new FakeClock();
  await during({ clock }, async (gateway) => {
    const never: Script = (_received, res) => {
      res.writeHead(429, { "retry-after": "5", "content-type": "application/json" });
      res.write("{");
    };
    stub.script = inTurn(never, replyJson(200, CHAT_REPLY));
    const response = await advanceUntil(clock, gateway.post("/v1/chat/completions", CHAT));
    assert.equal(response.status, 200);
    assert.ok(clock.monotonic() < UPSTREAM_LIMITS.idleTimeoutMs / 3);
    assert.deepEqual(gateway.pool.outcomes, ["RATE_LIMITED", "OK"]);
    assert.equal(gateway.pool.releases[0]?.result.retryAfterMs, 5000);
    assert.equal(gateway.upstream.inFlight, 0);
  });
});

test("a key that a provider echoes with escapes is told to nobody, in no language and no record", async () => {
  const secret = "sk-first/+00000000000000000000";
  const spelled = String.raw`sk-first\/\u002B00000000000000000000`;
  const said = `"message":"no such key \\u0073${spelled.slice(1)}","type":"invalid_request_error"`;
  for (const status of [400, 401, 500]) {
    for (const path of ["/v1/chat/completions", "/v1/messages"]) {
      await during({ secrets: [secret] }, async (gateway) => {
        stub.script = replyJson(status, `{"error":{${said}}}`);
        const response = await gateway.post(path, { ...CHAT, max_tokens: 1 });
        const told = await response.text();
        assert.ok(response.status >= 400);
        const { sink, pool, log } = gateway;
        const kept = JSON.stringify([sink.records, pool.releases, log.lines]);
        assert.match(kept, /no such key \[redacted\]/);
        for (const text of [told, kept]) {
          assert.ok(!text.includes(secret) && !text.includes(spelled), text);
        }
      });
    }
  }
});
