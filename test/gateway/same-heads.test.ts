import assert from "node:assert/strict";
import http from "node:http";
import { after, before, beforeEach, test } from "node:test";
import { Fault } from "../../server/core/fault.js";
import { startUpstreamStub, type UpstreamStub } from "../support/upstream-stub.js";
import { CLIENT_KEY, startGateway, type TestGateway } from "./fixture.js";

// A connection whose requests have the same head is spared reading it. Nobody may notice.

const PAGE = "https://app.example";
const ROUNDS = 5;

let stub: UpstreamStub;
let gateway: TestGateway;
let agent: http.Agent;

before(async () => {
  stub = await startUpstreamStub();
  gateway = await startGateway({
    providers: [{ baseUrl: `${stub.origin}/v1` }],
    trustedProxies: ["127.0.0.1"],
    corsOrigins: [PAGE],
  });
});

after(async () => {
  agent.destroy();
  await gateway.close();
  await stub.close();
});

beforeEach(() => {
  agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  stub.received.length = 0;
  gateway.authenticator.ips.length = 0;
  gateway.authenticator.refusal = undefined;
});

interface Answer {
  readonly status: number | undefined;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
}

/** One request on the one connection. */
function send(
  body: string,
  headers: Record<string, string> = {},
  { origin } = gateway,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = http.request(`${origin}/v1/chat/completions`, {
      method: "POST",
      agent,
      headers: {
        authorization: `Bearer ${CLIENT_KEY}`,
        "content-type": "application/json",
        "user-agent": "same/1.0",
        "x-forwarded-for": "203.0.113.7",
        "content-length": Buffer.byteLength(body),
        ...headers,
      },
    });
    request.on("error", reject);
    request.on("response", (response) => {
      const pieces: Buffer[] = [];
      response.on("data", (piece: Buffer) => pieces.push(piece));
      response.on("end", () => {
        const { statusCode: status, headers: told } = response;
        resolve({ status, headers: told, body: Buffer.concat(pieces).toString() });
      });
    });
    request.end(body);
  });
}

function bodyOf(round: number): string {
  return JSON.stringify({ model: "m", messages: [], user: "é".repeat(round * 40) });
}

test("each request with the same head goes on whole, with its own body and the same headers", async () => {
  const ids = new Set<unknown>();
  for (let round = 0; round < ROUNDS; round++) {
    const answer = await send(bodyOf(round));
    assert.equal(answer.status, 200, answer.body);
    ids.add(answer.headers["x-request-id"]);
  }
  assert.equal(ids.size, ROUNDS);
  const [first] = stub.received;
  for (const [round, received] of stub.received.entries()) {
    const { headers, body } = received;
    assert.equal(body.toString(), bodyOf(round));
    const length = { "content-length": headers["content-length"] };
    assert.deepEqual({ ...headers, ...length }, { ...first?.headers, ...length });
    assert.equal(headers["user-agent"], "same/1.0");
  }
  assert.deepEqual(gateway.authenticator.ips, Array<string>(ROUNDS).fill("203.0.113.7"));
});

test("a key that is revoked between two requests with the same head is refused with the second", async () => {
  for (let round = 0; round < ROUNDS; round++)
    assert.equal((await send(bodyOf(round))).status, 200);
  gateway.authenticator.refusal = new Fault("revoked_api_key", "The key was revoked.");
  const refused = await send(bodyOf(1));
  assert.deepEqual([refused.status, stub.received.length], [401, ROUNDS]);
  assert.match(refused.body, /revoked_api_key/);
  gateway.authenticator.refusal = undefined;
  assert.equal((await send(bodyOf(1))).status, 200);
});

test("a head that differs by one character is read anew, and the first one again after it", async () => {
  const other = `${CLIENT_KEY.slice(0, -1)}${CLIENT_KEY.endsWith("a") ? "b" : "a"}`;
  const statuses: (number | undefined)[] = [];
  for (const key of [CLIENT_KEY, CLIENT_KEY, CLIENT_KEY, other, CLIENT_KEY, CLIENT_KEY, other]) {
    const answer = await send(bodyOf(0), { authorization: `Bearer ${key}` });
    statuses.push(answer.status);
  }
  assert.deepEqual(statuses, [200, 200, 200, 401, 200, 200, 401]);
});

test("a page in a browser may read each answer to the same head", async () => {
  for (let round = 0; round < ROUNDS; round++) {
    const { headers } = await send(bodyOf(round), { origin: PAGE });
    assert.equal(headers["access-control-allow-origin"], PAGE);
    assert.match(headers["access-control-expose-headers"] ?? "", /x-request-id/);
  }
});

test("a body over the limit is refused although its head is known", async (t) => {
  const small = await startGateway({
    providers: [{ baseUrl: `${stub.origin}/v1` }],
    limits: { bodyBytesMax: 1000 },
  });
  t.after(() => small.close());
  for (let round = 0; round < ROUNDS; round++) {
    assert.equal((await send(bodyOf(1), {}, small)).status, 200);
  }
  assert.equal((await send(bodyOf(30), {}, small)).status, 413);
});
