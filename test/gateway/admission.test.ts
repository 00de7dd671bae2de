import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Fault } from "../../server/core/fault.js";
import { AdmissionQueue } from "../../server/limits/admission-queue.js";
import { FakeClock, settle, settleWhile } from "../support/fake-clock.js";
import {
  chatEvents,
  Counter,
  replyEvents,
  replyJson,
  CHAT_REPLY,
  startUpstreamStub,
  type UpstreamStub,
} from "../support/upstream-stub.js";
import { startGateway, type TestGateway } from "./fixture.js";

const CHAT = { model: "m", messages: [] };

let stub: UpstreamStub;
const gateways: TestGateway[] = [];

before(async () => {
  stub = await startUpstreamStub();
});

after(async () => {
  for (const gateway of gateways) await gateway.close();
  await stub.close();
});

async function gatewayWith(admission?: AdmissionQueue): Promise<TestGateway> {
  const gateway = await startGateway({
    providers: [{ baseUrl: `${stub.origin}/v1` }],
    ...(admission === undefined ? {} : { admission }),
  });
  gateways.push(gateway);
  return gateway;
}

/** A provider that answers when it is told to. */
function holding(): { release: () => void; held: Counter } {
  const held = new Counter();
  let release = (): void => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  stub.script = async (received, res) => {
    held.add();
    await released;
    await replyJson(200, CHAT_REPLY)(received, res);
  };
  return { release, held };
}

test("calls beyond those that may be under way wait for their turn, and go on when one ends", async () => {
  const clock = new FakeClock();
  const queue = new AdmissionQueue({ clock, activeMax: 1, waitingMax: 1, waitMaxMs: () => 5_000 });
  const gateway = await gatewayWith(queue);
  const { release, held } = holding();
  const first = gateway.post("/v1/chat/completions", CHAT);
  await held.reached(1);
  const second = gateway.post("/v1/chat/completions", CHAT);
  await settleWhile(() => queue.waiting === 0);
  const third = await gateway.post("/v1/chat/completions", CHAT);
  assert.equal(third.status, 503);
  assert.equal(third.headers.get("retry-after"), "1");
  assert.match(await third.text(), /"code":"overloaded"/);
  assert.equal(stub.received.length, 1);
  release();
  assert.deepEqual([(await first).status, (await second).status], [200, 200]);
  assert.deepEqual([queue.active, queue.waiting], [0, 0]);
});

test("a client key that floods the server shuts no other one out", async () => {
  const clock = new FakeClock();
  const queue = new AdmissionQueue({ clock, activeMax: 1, waitingMax: 2, waitMaxMs: () => 5_000 });
  const gateway = await gatewayWith(queue);
  const { release, held } = holding();
  const flood: Promise<Response>[] = [];
  for (let waiting = 0; waiting <= 2; waiting++) {
    flood.push(gateway.post("/v1/chat/completions", CHAT));
    if (waiting === 0) await held.reached(1);
    await settleWhile(() => queue.waiting < waiting);
  }
  gateway.authenticator.clientKeyId = "ck_quiet";
  const quiet = gateway.post("/v1/chat/completions", CHAT);
  assert.equal((await Promise.race(flood)).status, 503);
  release();
  assert.equal((await quiet).status, 200);
  const statuses = (await Promise.all(flood)).map(({ status }) => status);
  assert.deepEqual(statuses, [200, 200, 503]);
  assert.deepEqual([queue.active, queue.waiting], [0, 0]);
});

for (const [name, change, status, code] of [
  ["is for other models", { modelAllowlist: ["other"] }, 403, "model_not_allowed"],
  ["is for other endpoints", { scopes: ["embeddings"] }, 403, "scope_not_allowed"],
  [
    "is for other addresses",
    { refusal: new Fault("ip_not_allowed", "Not from there.") },
    403,
    "ip_not_allowed",
  ],
] as const) {
  test(`a key that ${name} since its call began to wait for its turn gets nothing served`, async () => {
    const clock = new FakeClock();
    const queue = new AdmissionQueue({
      clock,
      activeMax: 1,
      waitingMax: 1,
      waitMaxMs: () => 5_000,
    });
    const gateway = await gatewayWith(queue);
    const { release, held } = holding();
    const first = gateway.post("/v1/chat/completions", CHAT);
    await held.reached(1);
    const second = gateway.post("/v1/chat/completions", CHAT);
    await settleWhile(() => queue.waiting === 0);
    gateway.authenticator.change(change);
    release();
    const refused = await second;
    assert.equal(refused.status, status);
    assert.match(await refused.text(), new RegExp(`"code":"${code}"`));
    assert.equal((await first).status, 200);
    assert.equal(held.count, 1);
    assert.equal(gateway.sink.records[1]?.errorCode, code);
    assert.deepEqual([queue.active, queue.waiting], [0, 0]);
  });
}

test("a key that expires while a body comes gets nothing served, and one that expires later does", async () => {
  const clock = new FakeClock();
  const gateway = await startGateway({ providers: [{ baseUrl: `${stub.origin}/v1` }], clock });
  gateways.push(gateway);
  stub.script = replyJson(200, CHAT_REPLY);
  stub.received.length = 0;
  const { authenticator } = gateway;
  authenticator.expiresAt = clock.now() + 60_000;
  for (const [waitedMs, status] of [
    [59_999, 200],
    [1, 401],
  ] as const) {
    let sendRest = (): void => undefined;
    const rest = new Promise<void>((resolve) => {
      sendRest = resolve;
    });
    async function* body(): AsyncGenerator<Buffer> {
      const text = Buffer.from(JSON.stringify(CHAT));
      yield text.subarray(0, 5);
      await rest;
      yield text.subarray(5);
    }
    const seen = authenticator.presented.length;
    const pending = gateway.fetch("/v1/chat/completions", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: body(),
      duplex: "half",
    });
    await settleWhile(() => authenticator.presented.length === seen);
    clock.advance(waitedMs);
    if (status === 401) authenticator.refusal = new Fault("expired_api_key", "It has expired.");
    sendRest();
    assert.equal((await pending).status, status);
  }
  assert.equal(stub.received.length, 1);
});

test("a user with many client keys gets no more turns than one with one", async () => {
  const clock = new FakeClock();
  const queue = new AdmissionQueue({ clock, activeMax: 1, waitingMax: 5, waitMaxMs: () => 5_000 });
  const gateway = await gatewayWith(queue);
  const { release, held } = holding();
  const calls = [gateway.post("/v1/chat/completions", CHAT)];
  await held.reached(1);
  const callers = [1, 2, 3, 4].map((key) => ({ ownerId: "usr_many", key: `ck_${String(key)}` }));
  for (const { ownerId, key } of [...callers, { ownerId: "usr_one", key: "ck_one" }]) {
    Object.assign(gateway.authenticator, { ownerId, clientKeyId: key });
    calls.push(gateway.post("/v1/chat/completions", CHAT));
    await settleWhile(() => queue.waiting < calls.length - 1);
  }
  release();
  for (const { status } of await Promise.all(calls)) assert.equal(status, 200);
  const served = gateway.sink.records.slice(1).map(({ clientKeyId }) => clientKeyId);
  assert.deepEqual(served, ["ck_1", "ck_one", "ck_2", "ck_3", "ck_4"]);
});

test("a call that waited too long for its turn is answered 503 in its dialect, and is on record", async () => {
  const clock = new FakeClock();
  const queue = new AdmissionQueue({ clock, activeMax: 1, waitingMax: 5, waitMaxMs: () => 5_000 });
  const gateway = await gatewayWith(queue);
  stub.received.length = 0;
  const { release, held } = holding();
  const first = gateway.post("/v1/chat/completions", CHAT);
  await held.reached(1);
  const second = gateway.post("/v1/chat/completions", CHAT);
  await settleWhile(() => queue.waiting === 0);
  clock.advance(5_000);
  assert.equal((await second).status, 503);
  assert.equal(gateway.sink.records[0]?.errorCode, "overloaded");
  release();
  assert.equal((await first).status, 200);
});

test("a caller that leaves while it waits gives up its place", async () => {
  const clock = new FakeClock();
  const queue = new AdmissionQueue({ clock, activeMax: 1, waitingMax: 5, waitMaxMs: () => 5_000 });
  const gateway = await gatewayWith(queue);
  const { release, held } = holding();
  const first = gateway.post("/v1/chat/completions", CHAT);
  await held.reached(1);
  const abort = new AbortController();
  const second = gateway.fetch("/v1/chat/completions", {
    method: "POST",
    body: JSON.stringify(CHAT),
    signal: abort.signal,
  });
  await settleWhile(() => queue.waiting === 0);
  abort.abort();
  await assert.rejects(second);
  await settleWhile(() => queue.waiting > 0);
  release();
  assert.equal((await first).status, 200);
  assert.deepEqual([queue.active, queue.waiting], [0, 0]);
});

test("where records must survive a power cut, no reply and no last event leaves before they do", async () => {
  const gateway = await gatewayWith();
  for (const stream of [false, true]) {
    let save = (): void => {};
    gateway.sink.safe = new Promise((resolve) => {
      save = resolve;
    });
    stub.script = stream ? replyEvents(chatEvents(["Hello"])) : replyJson(200, CHAT_REPLY);
    const records = gateway.sink.records.length;
    let ended = false;
    const text = gateway
      .post("/v1/chat/completions", { ...CHAT, stream })
      .then((response) => response.text())
      .finally(() => {
        ended = true;
      });
    await gateway.sink.record(records + 1);
    for (let i = 0; i < 20; i++) await settle();
    assert.equal(ended, false);
    save();
    assert.match(await text, stream ? /Hello[^]*\[DONE\]/ : /Hello/);
  }
});

test("where a record could not be made safe the caller does not take the call for done", async () => {
  const gateway = await gatewayWith();
  const failure = new Fault("storage_unavailable", "The disk is gone.");
  gateway.sink.safe = Promise.reject(failure);
  gateway.sink.safe.catch(() => undefined);
  stub.script = replyJson(200, CHAT_REPLY);
  assert.equal((await gateway.post("/v1/chat/completions", CHAT)).status, 503);
  stub.script = replyEvents(chatEvents(["Hello"]));
  const streamed = gateway.post("/v1/chat/completions", { ...CHAT, stream: true });
  await assert.rejects(streamed.then((response) => response.text()));
});
