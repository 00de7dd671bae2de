import assert from "node:assert/strict";
import { test } from "node:test";
import { Call_UsageSource } from "../../proto/gen/latchkey/v1/calls_pb.js";
import { Period } from "../../proto/gen/latchkey/v1/common_pb.js";
import {
  Listener_Kind,
  Settings_AbortedCallPolicy,
} from "../../proto/gen/latchkey/v1/system_pb.js";
import type { Api } from "../../tui/api/services.js";
import { addClientKey, addProvider, chat, dataFolder, until, upstream, serve } from "./fixture.js";
import { serveInside } from "./inside.js";

test("a user's limits bind all of the user's keys on the proxy port, at once and over a restart", async (t) => {
  const stub = await upstream(t);
  const folder = dataFolder(t);
  let server = await serveInside(t, folder);
  await addProvider(server.api, stub);
  const keys = [await addClientKey(server.api, "one"), await addClientKey(server.api, "two")];
  const [first = "", second = ""] = keys;
  const id = await ownId(server.api);
  const limit = (limits: object) => server.api.users.updateUser({ id, limits });

  await limit({ requestsPerMinute: 2 });
  assert.equal((await chat(server.proxyUrl, first)).status, 200);
  const allowed = await chat(server.proxyUrl, second);
  assert.equal(allowed.headers.get("x-ratelimit-remaining-requests"), "0");
  const refused = await chat(server.proxyUrl, first);
  assert.equal(refused.status, 429);
  assert.ok(Number(refused.headers.get("retry-after")) > 0);
  assert.equal(refused.headers.get("x-ratelimit-limit-requests"), "2");
  assert.equal(refused.headers.get("x-ratelimit-remaining-requests"), "0");
  assert.match(await refused.text(), /2 requests per minute of this user/);

  // What was spent before the budget was set counts.
  const stored = async () => (await server.api.calls.listCalls({})).calls.length;
  await until(async () => (await stored()) >= 2);
  await limit({ budgets: [{ period: Period.MONTH, tokens: 1n }] });
  await until(async () => Number((await self(server.api)).budgetUsage[0]?.tokens) > 1);
  assert.ok((await self(server.api)).budgetUsage[0]?.resetTime !== undefined);
  assert.equal((await chat(server.proxyUrl, second)).status, 402);

  await server.stop();
  server = await serveInside(t, folder);
  assert.equal((await chat(server.proxyUrl, first)).status, 402);
  await server.api.users.updateUser({ id, updateMask: { paths: ["limits"] } });
  assert.equal((await chat(server.proxyUrl, first)).status, 200);
});

test("a budget counts what was spent before it was set: just before, in calls under way, and without it", async (t) => {
  const stub = await upstream(t);
  const { api, proxyUrl } = await serveInside(t, dataFolder(t));
  await addProvider(api, stub);
  const { clientKey, secret } = await api.clientKeys.createClientKey({ name: "app" });
  const id = clientKey?.id ?? "";
  const setBudgets = (budgets: object[]) =>
    api.clientKeys.updateClientKey({
      id,
      limits: { budgets },
      updateMask: { paths: ["limits"] },
    });
  const budget = { period: Period.DAY, tokens: 100_000n };
  const comesTo = (tokens: number) =>
    until(async () => {
      const { budgetUsage = [] } = (await api.clientKeys.getClientKey({ id })).clientKey ?? {};
      return Number(budgetUsage[0]?.tokens) === tokens;
    });
  const calls = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) await (await chat(proxyUrl, secret)).text();
  };

  await calls(5);
  const answers: (() => void)[] = [];
  const answered = stub.script;
  stub.script = (request, res) => void answers.push(() => void answered(request, res));
  const running = Promise.all([chat(proxyUrl, secret), chat(proxyUrl, secret)]);
  await stub.requests(7);
  await setBudgets([budget]);
  await comesTo(5 * 18);
  stub.script = answered;
  for (const answer of answers) answer();
  for (const reply of await running) await reply.text();
  await comesTo(7 * 18);

  await setBudgets([]);
  await calls(3);
  await setBudgets([budget]);
  await comesTo(10 * 18);
  await calls(1);
  await comesTo(11 * 18);
});

test("a call is admitted by its key's limits as they are then, however long it has waited, and no budget loses count by it", async (t) => {
  const stub = await upstream(t);
  const { api, proxyUrl } = await serveInside(t, dataFolder(t), "--calls-max=1");
  await addProvider(api, stub);
  const other = await addClientKey(api, "other");
  const budgets = [{ period: Period.DAY, tokens: 100_000n }];
  const { clientKey, secret } = await api.clientKeys.createClientKey({
    name: "app",
    limits: { budgets },
  });
  const id = clientKey?.id ?? "";
  const limit = (limits: object) =>
    api.clientKeys.updateClientKey({ id, limits, updateMask: { paths: ["limits"] } });
  const answered = stub.script;
  let answer: (() => void) | undefined;
  stub.script = (request, res) => void (answer = () => void answered(request, res));
  const first = chat(proxyUrl, other);
  await stub.requests(1);
  const waiting = chat(proxyUrl, secret);
  await until(async () => (await gauge(api, "latchkey_calls_queued")) === 1);
  await limit({ requestsPerMinute: 7 });
  stub.script = answered;
  answer?.();
  assert.equal((await first).status, 200);
  assert.equal((await waiting).headers.get("x-ratelimit-limit-requests"), "7");

  const stored = async () => (await api.calls.listCalls({})).calls.length;
  await until(async () => (await stored()) === 2);
  for (let i = 0; i < 2; i++) assert.equal((await chat(proxyUrl, secret)).status, 200);
  await limit({ budgets });
  await until(async () => {
    const { budgetUsage = [] } = (await api.clientKeys.getClientKey({ id })).clientKey ?? {};
    return budgetUsage[0]?.tokens === 3n * 18n;
  });
});

test("a limit of calls at a time counts those that run when it is set, on a key, its user and the server", async (t) => {
  const stub = await upstream(t);
  const { api, proxyUrl } = await serveInside(t, dataFolder(t));
  await addProvider(api, stub);
  const { clientKey, secret } = await api.clientKeys.createClientKey({ name: "app" });
  const id = clientKey?.id ?? "";
  const userId = await ownId(api);
  const answered = stub.script;
  const updateMask = { paths: ["limits"] };
  for (const limit of [
    (limits: object) => api.clientKeys.updateClientKey({ id, limits, updateMask }),
    (limits: object) => api.users.updateUser({ id: userId, limits, updateMask }),
    (serverLimits: object) => api.system.updateSettings({ serverLimits }),
  ]) {
    const answers: (() => void)[] = [];
    stub.script = (request, res) => void answers.push(() => void answered(request, res));
    const before = stub.received.length;
    const running = [chat(proxyUrl, secret), chat(proxyUrl, secret)];
    await stub.requests(before + 2);
    stub.script = answered;
    await limit({ concurrency: 2 });
    assert.equal((await chat(proxyUrl, secret)).status, 429);
    answers[0]?.();
    await Promise.race(running);
    assert.equal((await chat(proxyUrl, secret)).status, 200);
    answers[1]?.();
    for (const each of await Promise.all(running)) assert.equal(each.status, 200);
    await limit({});
  }
});

test("deleting a client key gives no budget of its owner and of the server back, at a restart neither", async (t) => {
  const stub = await upstream(t);
  const folder = dataFolder(t);
  let server = await serveInside(t, folder);
  await addProvider(server.api, stub);
  const { clientKey, secret } = await server.api.clientKeys.createClientKey({ name: "one" });
  const other = await addClientKey(server.api, "two");
  const id = await ownId(server.api);
  const budget = (tokens: bigint) => ({ budgets: [{ period: Period.MONTH, tokens }] });
  await server.api.users.updateUser({ id, limits: budget(100_000n) });
  // Enough for what one call reserves, and not for what one has used besides.
  await server.api.system.updateSettings({ serverLimits: budget(4125n) });
  assert.equal((await chat(server.proxyUrl, secret)).status, 200);
  await server.api.clientKeys.deleteClientKey({ id: clientKey?.id ?? "" });
  await server.stop();
  server = await serveInside(t, folder);
  assert.equal((await self(server.api)).budgetUsage[0]?.tokens, 18n);
  const refused = await chat(server.proxyUrl, other);
  assert.equal(refused.status, 402);
  assert.match(await refused.text(), /server's budget/);
});

test("a kill gives no budget back for the calls that were running", async (t) => {
  const stub = await upstream(t);
  const folder = dataFolder(t);
  const killed = await serve(t, folder);
  await addProvider(killed.api, stub);
  const limits = { budgets: [{ period: Period.MONTH, tokens: 5000n }] };
  const { clientKey, secret } = await killed.api.clientKeys.createClientKey({
    name: "app",
    limits,
  });
  stub.script = () => undefined;
  const lost = assert.rejects(chat(killed.proxyUrl, secret));
  await stub.requests(1);
  await killed.kill();
  await lost;

  const { api, proxyUrl } = await serveInside(t, folder);
  const [call] = (await api.calls.listCalls({})).calls;
  assert.equal(call?.usageSource, Call_UsageSource.ESTIMATED);
  const id = clientKey?.id ?? "";
  const [use] = (await api.clientKeys.getClientKey({ id })).clientKey?.budgetUsage ?? [];
  assert.equal(use?.tokens, (call.tokens?.input ?? 0n) + (call.tokens?.output ?? 0n));
  assert.ok(Number(use?.tokens) > 4000, `${use?.tokens}`);
  assert.equal((await chat(proxyUrl, secret)).status, 402);
});

test("images that are made at the same time use no more of a budget than there is", async (t) => {
  const stub = await upstream(t);
  const server = await serveInside(t, dataFolder(t));
  const { providerId } = await addProvider(server.api, stub);
  const prices = [{ inputMicrosPerMillion: 5_000_000n, outputMicrosPerMillion: 40_000_000n }];
  await server.api.providers.upsertModels({
    providerId,
    models: [{ modelId: "stub-image", prices }],
  });
  const { clientKey, secret } = await server.api.clientKeys.createClientKey({
    name: "app",
    limits: { budgets: [{ period: Period.DAY, costMicros: 1_000_000n }] },
  });
  const usage = { input_tokens: 10, output_tokens: 4160 };
  stub.script = (_received, res) => {
    res.writeHead(200, { "content-type": "application/json" });
    setImmediate(() => res.end(JSON.stringify({ data: [{ b64_json: "AA" }], usage })));
  };
  const make = () =>
    fetch(`${server.proxyUrl}/v1/images/generations`, {
      method: "POST",
      headers: { authorization: `Bearer ${secret}`, "content-type": "application/json" },
      body: JSON.stringify({ model: "stub-image", prompt: "x", size: "1024x1024" }),
    }).then(async (reply) => {
      await reply.text();
      return reply.status;
    });
  const statuses = await Promise.all(Array.from({ length: 40 }, make));
  assert.deepEqual([...new Set(statuses)].toSorted(), [200, 402]);
  // One costs 166,450 micros; those that still ran had set as much aside.
  const id = clientKey?.id ?? "";
  const spent = async () =>
    Number(
      (await server.api.clientKeys.getClientKey({ id })).clientKey?.budgetUsage[0]?.costMicros,
    );
  assert.ok((await spent()) <= 1_000_000);
  while ((await make()) === 200);
  assert.ok((await spent()) > 700_000 && (await spent()) <= 1_000_000, `${await spent()}`);
});

test("limits of the server bind everybody, and new keys get the defaults", async (t) => {
  const stub = await upstream(t);
  const server = await serveInside(t, dataFolder(t));
  await addProvider(server.api, stub);
  const before = await addClientKey(server.api, "before");
  await server.api.system.updateSettings({ defaultClientKeyLimits: { requestsPerMinute: 1 } });
  const { clientKey, secret } = await server.api.clientKeys.createClientKey({ name: "after" });
  assert.equal(clientKey?.limits?.requestsPerMinute, 1);
  const free = await server.api.clientKeys.createClientKey({ name: "free", limits: {} });
  assert.equal(free.clientKey?.limits?.requestsPerMinute, 0);
  assert.equal((await chat(server.proxyUrl, secret)).status, 200);
  assert.equal((await chat(server.proxyUrl, secret)).status, 429);
  await server.api.system.updateSettings({ serverLimits: { requestsPerMinute: 1 } });
  assert.equal((await chat(server.proxyUrl, before)).status, 200);
  const refused = await chat(server.proxyUrl, free.secret);
  assert.equal(refused.status, 429);
  assert.match(await refused.text(), /of this server/);
});

test("a client key that is restricted to a scope is refused elsewhere on the proxy port", async (t) => {
  const stub = await upstream(t);
  const server = await serveInside(t, dataFolder(t));
  await addProvider(server.api, stub);
  const { secret, clientKey } = await server.api.clientKeys.createClientKey({
    name: "vectors",
    scopes: ["embeddings"],
  });
  const refused = await chat(server.proxyUrl, secret);
  assert.equal(refused.status, 403);
  assert.match(await refused.text(), /scope_not_allowed/);
  const models = await fetch(`${server.proxyUrl}/v1/models`, {
    headers: { authorization: `Bearer ${secret}` },
  });
  assert.equal(models.status, 200);
  const paths = { paths: ["scopes"] };
  await server.api.clientKeys.updateClientKey({
    id: clientKey?.id ?? "",
    updateMask: paths,
    scopes: ["embeddings", "chat"],
  });
  assert.equal((await chat(server.proxyUrl, secret)).status, 200);
});

async function self(api: Api) {
  const { user } = await api.sessions.whoAmI({});
  if (user === undefined) throw new Error("nobody");
  return user;
}

async function gauge(api: Api, name: string): Promise<number> {
  const { listeners } = await api.system.getStatus({});
  const { address } = listeners.find(({ kind }) => kind === Listener_Kind.CONTROL)!;
  const text = await (await fetch(`http://${address}/metrics`)).text();
  return Number(
    text
      .split("\n")
      .find((line) => line.startsWith(`${name} `))
      ?.split(" ")[1],
  );
}

async function ownId(api: Api): Promise<string> {
  return (await self(api)).id;
}

test("what a call costs whose caller leaves is as the settings say, from the next call on", async (t) => {
  const stub = await upstream(t);
  const { api, proxyUrl } = await serveInside(t, dataFolder(t));
  await addProvider(api, stub);
  const key = await addClientKey(api);
  stub.script = (_received, res) => new Promise((resolve) => res.on("close", resolve));
  const newest = async () => (await api.calls.listCalls({})).calls[0];
  let seen: string | undefined;
  for (const [at, [abortedCallPolicy, isCounted]] of (
    [
      [Settings_AbortedCallPolicy.NOTHING, false],
      [Settings_AbortedCallPolicy.RESERVED, true],
      [Settings_AbortedCallPolicy.NOTHING, false],
    ] as const
  ).entries()) {
    await api.system.updateSettings({
      abortedCallPolicy,
      updateMask: { paths: ["aborted_call_policy"] },
    });
    const leaving = new AbortController();
    const left = chat(proxyUrl, key, false, leaving.signal);
    await stub.requests(at + 1);
    leaving.abort();
    await assert.rejects(left);
    await until(async () => (await newest())?.id !== seen);
    const call = await newest();
    seen = call?.id;
    assert.equal(call?.httpStatus, 499);
    assert.equal((call.tokens?.output ?? 0n) > 0n, isCounted);
  }
});
