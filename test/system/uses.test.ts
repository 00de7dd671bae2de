import assert from "node:assert/strict";
import { test } from "node:test";
import { addClientKey, addProvider, dataFolder, serve, until, upstream } from "./fixture.js";

test("the uses of a client key are those on record, whenever the server is killed", async (t) => {
  const stub = await upstream(t);
  const folder = dataFolder(t);
  let server = await serve(t, folder);
  await addProvider(server.api, stub);
  const secret = await addClientKey(server.api);
  const unused = await server.api.clientKeys.createClientKey({ name: "unused" });
  const call = async (): Promise<void> => {
    const answer = await fetch(`${server.proxyUrl}/v1/chat/completions`, {
      method: "POST",
      headers: { authorization: `Bearer ${secret}`, "content-type": "application/json" },
      body: JSON.stringify({ model: "stub-chat", messages: [{ role: "user", content: "hi" }] }),
    });
    assert.equal(answer.status, 200, await answer.text());
  };
  const app = async () => {
    const { clientKeys } = await server.api.clientKeys.listClientKeys({});
    return clientKeys.find(({ name }) => name === "app");
  };
  for (let life = 1; life <= 3; life++) {
    /* eslint-disable no-await-in-loop -- one life after the other */
    for (let n = 0; n < 7; n++) await call();
    await until(async () => (await server.api.calls.listCalls({})).calls.length === 7 * life);
    const { calls } = await server.api.calls.listCalls({});
    await server.kill();
    server = await serve(t, folder);
    const key = await app();
    assert.equal(Number(key?.callCount), 7 * life);
    assert.equal(key?.lastUsedIp, "127.0.0.1");
    const newest = Math.max(...calls.map(({ startTime }) => msOf(startTime)));
    assert.ok(msOf(key.lastUsedTime) >= newest);
    /* eslint-enable no-await-in-loop */
  }
  await server.stop();
  server = await serve(t, folder);
  assert.equal(Number((await app())?.callCount), 21);
  const { clientKey } = await server.api.clientKeys.getClientKey({
    id: unused.clientKey?.id ?? "",
  });
  assert.equal(clientKey?.callCount, 0n);
});

function msOf(time: { seconds: bigint; nanos: number } | undefined): number {
  return Number(time?.seconds) * 1000 + Math.floor((time?.nanos ?? 0) / 1_000_000);
}
