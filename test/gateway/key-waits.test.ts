import assert from "node:assert/strict";
import { test } from "node:test";
import { Fault } from "../../server/core/fault.js";
import { chatEvents, inTurn, replyEvents, type Script } from "../support/upstream-stub.js";
import { FakeClock, settleWhile } from "../support/fake-clock.js";
import { GATEWAY_LIMITS } from "../../server/gateway/limits.js";
import { advanceUntil } from "./fixture.js";
import { CHAT, ok, refusal, SECRETS, stubbedGateway } from "./stubbed-gateway.js";

const site = stubbedGateway(SECRETS);
const { bound } = site;

test("no further try begins after the deadline, which may be set while calls run", async () => {
  const clock = new FakeClock();
  const { post, pool } = await bound({ clock });
  const slowly: Script = (received, res) => {
    clock.block(1500);
    return refusal(503, "overloaded")(received, res);
  };
  pool.failoverDeadlineMs = 1000;
  site.stub.script = slowly;
  assert.equal((await post(CHAT)).status, 503);
  assert.equal(site.stub.received.length, 1);
  site.stub.script = (received, res) => {
    pool.failoverDeadlineMs = 2000;
    return slowly(received, res);
  };
  assert.equal((await post(CHAT)).status, 503);
  assert.equal(site.stub.received.length, 3);
});

test("a caller hears when the first of several limited keys is back, and of one key its provider's own words", async () => {
  const { post, pool } = await bound({ secrets: SECRETS.slice(0, 2) });
  pool.backMs = 15_000;
  site.stub.script = inTurn(
    refusal(429, "x", { "retry-after": "15" }),
    refusal(429, "x", { "retry-after": "1800" }),
  );
  const sooner = await post(CHAT);
  assert.equal(sooner.status, 429);
  assert.equal(sooner.headers.get("retry-after"), "15");
  assert.match(await sooner.text(), /rate_limit_exceeded/);
  site.stub.script = refusal(429, "x", { "retry-after": "15" });
  const own = await post(CHAT);
  assert.equal(own.headers.get("retry-after"), "15");
  assert.match(await own.text(), /said x/);
  site.stub.script = refusal(429, "x");
  const untold = await post(CHAT);
  assert.equal(untold.headers.get("retry-after"), "15");
  assert.match(await untold.text(), /said x/);
});

test("a call that was stopped before all keys were tried hears when the first is back", async () => {
  const { post, pool } = await bound({ limits: { attemptsMax: 1 } });
  pool.backMs = 0;
  site.stub.script = refusal(429, "x", { "retry-after": "1800" });
  const response = await post(CHAT);
  assert.equal(response.status, 429);
  assert.equal(response.headers.get("retry-after"), "1");
});

test("a stream that does not begin in two minutes is tried with another key where the deadline leaves room", async () => {
  const clock = new FakeClock();
  const { post, pool } = await bound({ clock });
  site.stub.script = inTurn(() => undefined, replyEvents(chatEvents(["a"])));
  pool.failoverDeadlineMs = 300_000;
  const pending = post({ ...CHAT, stream: true });
  await settleWhile(() => site.stub.received.length === 0);
  while (pool.outcomes.length === 0) clock.advance(1000);
  assert.ok(clock.monotonic() >= GATEWAY_LIMITS.streamHeadTimeoutMs);
  const served = await pending;
  assert.match(await served.text(), /\[DONE\]/);
  assert.deepEqual(pool.outcomes, ["TIMEOUT", "OK"]);
});

test("a key that is back after the deadline is not waited for", async () => {
  const clock = new FakeClock();
  const { post, pool } = await bound({ clock, secrets: SECRETS.slice(0, 1) });
  pool.failoverDeadlineMs = 1000;
  pool.backMs = 2000;
  site.stub.script = refusal(429, "rate_limit_exceeded");
  assert.equal((await post(CHAT)).status, 429);
  assert.equal(site.stub.received.length, 1);
});

test("a call that waited for its first key past the deadline hears of the pool", async () => {
  const clock = new FakeClock();
  const { post, pool } = await bound({ clock, secrets: [] });
  pool.failoverDeadlineMs = 1000;
  pool.backMs = 900;
  const pending = post(CHAT);
  await settleWhile(() => pool.requests.length === 0);
  clock.block(1500);
  const response = await advanceUntil(clock, pending);
  assert.equal(response.status, 503);
  assert.match(await response.text(), /no_own_token/);
  assert.equal(pool.requests.length, 2);
});

test("time that a call waits for its turn is not taken from its search for a key", async () => {
  const clock = new FakeClock();
  const turns: (() => void)[] = [];
  const { post, pool } = await bound({
    clock,
    admission: {
      enter: (_holder, then) => {
        turns.push(() => {
          then(undefined);
        });
        return () => undefined;
      },
      leave: () => undefined,
    },
  });
  pool.failoverDeadlineMs = 1000;
  site.stub.script = inTurn(refusal(503, "overloaded"), ok);
  const pending = post(CHAT);
  await settleWhile(() => turns.length === 0);
  clock.advance(2000);
  turns[0]?.();
  assert.equal((await pending).status, 200);
  assert.equal(site.stub.received.length, 2);
});

test("a call waits a moment for a key that will be back, and no longer", async () => {
  const clock = new FakeClock();
  const started = await site.start({ clock, secrets: SECRETS.slice(0, 1) });
  const { pool } = started;
  const lease = pool.lease.bind(pool);
  pool.lease = () => {
    throw new Fault("no_own_token", "All keys cool down.", { retryAfterSeconds: 1 });
  };
  pool.backMs = 900;
  site.stub.script = ok;
  const waiting = started.post("/v1/chat/completions", CHAT);
  await settleWhile(() => clock.pending === 0);
  clock.advance(899);
  assert.equal(site.stub.received.length, 0);
  pool.lease = lease;
  assert.equal((await advanceUntil(clock, waiting)).status, 200);
  pool.lease = () => {
    throw new Fault("no_own_token", "All keys cool down.", { retryAfterSeconds: 9 });
  };
  pool.backMs = 10_500;
  const refused = await started.post("/v1/chat/completions", CHAT);
  assert.equal(refused.status, 503);
  assert.equal(refused.headers.get("retry-after"), "9");
});

test("when each key has failed once, they are tried once more after a pause; a refused one is not", async () => {
  const { post, pool } = await bound({ secrets: SECRETS.slice(0, 2) });
  pool.backMs = 0;
  site.stub.script = inTurn(
    refusal(401, "invalid_api_key"),
    refusal(500, "x"),
    refusal(503, "x"),
    ok,
  );
  assert.equal((await post(CHAT)).status, 200);
  assert.deepEqual(
    site.stub.received.map((each) => each.secret),
    [0, 1, 1, 1].map((at) => SECRETS[at]),
  );
  assert.equal(pool.leased, 0);
});

test("a key that is back between the refusal and the question when it is back is taken", async () => {
  const { post, pool } = await bound({ secrets: SECRETS.slice(0, 1) });
  const lease = pool.lease.bind(pool);
  pool.lease = () => {
    pool.lease = lease;
    throw new Fault("no_own_token", "All keys cool down.", { retryAfterSeconds: 1 });
  };
  pool.backMs = 0;
  site.stub.script = ok;
  assert.equal((await post(CHAT)).status, 200);
});

test("keys that all refuse the call are not waited for again and again", async () => {
  const { post, pool } = await bound({ secrets: SECRETS.slice(0, 2) });
  pool.backMs = 0;
  site.stub.script = refusal(401, "invalid_api_key");
  assert.equal((await post(CHAT)).status, 502);
  assert.equal(site.stub.received.length, 2);
});

test("a user whose client keys all wait for provider keys leaves others room to wait", async () => {
  const clock = new FakeClock();
  const started = await site.start({ clock, limits: { waitingCallsMax: 3 } });
  const { pool, authenticator } = started;
  const lease = pool.lease.bind(pool);
  pool.lease = () => {
    throw new Fault("no_own_token", "All keys cool down.");
  };
  pool.backMs = 1000;
  site.stub.script = ok;
  const statusOf = async (ownerId: string, clientKeyId: string): Promise<number> => {
    Object.assign(authenticator, { ownerId, clientKeyId });
    return (await started.post("/v1/chat/completions", CHAT)).status;
  };
  const waiting: Promise<number>[] = [];
  const wait = async (ownerId: string, clientKeyId: string): Promise<void> => {
    const pending = clock.pending;
    waiting.push(statusOf(ownerId, clientKeyId));
    await settleWhile(() => clock.pending === pending);
  };
  await wait("usr_many", "ck_1");
  await wait("usr_many", "ck_2");
  assert.equal(await statusOf("usr_many", "ck_3"), 503);
  await wait("usr_one", "ck_one");
  pool.lease = lease;
  assert.deepEqual(await advanceUntil(clock, Promise.all(waiting)), [200, 200, 200]);
});

test("too many calls do not wait, and a caller that leaves stops waiting", async () => {
  const clock = new FakeClock();
  const started = await site.start({ clock, limits: { waitingCallsMax: 1 } });
  started.pool.lease = () => {
    throw new Fault("no_own_token", "All keys cool down.");
  };
  started.pool.backMs = 1000;
  const leaving = new AbortController();
  const first = started.fetch("/v1/chat/completions", {
    method: "POST",
    body: '{"model":"m"}',
    signal: leaving.signal,
  });
  await settleWhile(() => started.gateway.running < 1);
  await settleWhile(() => clock.pending < 2);
  assert.equal((await started.post("/v1/chat/completions", CHAT)).status, 503);
  leaving.abort();
  await assert.rejects(first);
  await started.sink.record(2);
  assert.equal(started.gateway.running, 0);
  const third = started.post("/v1/chat/completions", CHAT);
  await settleWhile(() => started.gateway.running < 1);
  started.gateway.cut(new Fault("vault_locked", "The vault was locked."));
  assert.equal((await third).status, 503);
});
