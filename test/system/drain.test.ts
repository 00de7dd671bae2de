import assert from "node:assert/strict";
import { once } from "node:events";
import { test, type TestContext } from "node:test";
import { Call_Status } from "../../proto/gen/latchkey/v1/calls_pb.js";
import { Listener_Kind } from "../../proto/gen/latchkey/v1/system_pb.js";
import type { ServerProcess } from "../../scripts/lib/server-process.js";
import type { UpstreamStub } from "../support/upstream-stub.js";
import { addClientKey, addProvider, chat, dataFolder, serve, until, upstream } from "./fixture.js";

const STREAMS = 20;
const HEAD = 'data: {"choices":[{"delta":{"content":"begun"}}]}\n\n';
const TAIL =
  'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}\n\ndata: [DONE]\n\n';

test("SIGTERM lets running streams end, takes no new calls and exits 0; every call is recorded", async (t) => {
  const { folder, server, stub, clientKey, finish } = await streaming(t, "--drain-seconds=30");
  const streams = await begun(server, clientKey);
  await stub.requests(STREAMS);
  const control = await controlAddress(server);
  const exited = once(server.process, "exit");
  server.process.kill("SIGTERM");
  await until(async () => (await readyz(control)) === 503);
  await assert.rejects(chat(server.proxyUrl, clientKey), "no new connection is taken");
  assert.equal(server.process.exitCode, null);
  finish();
  const texts = await Promise.all(streams.map((each) => each.text()));
  assert.ok(texts.every((text) => text.includes("begun") && text.includes("[DONE]")));
  const [code] = (await exited) as [number | null];
  assert.equal(code, 0, server.log());

  const again = await serve(t, folder);
  const { calls } = await again.api.calls.listCalls({ pageSize: 100 });
  const done = calls.filter(({ status }) => status === Call_Status.SUCCESS);
  assert.equal(done.length, STREAMS);
  assert.ok(done.every(({ tokens }) => tokens?.output === 2n));
});

test("after the drain time streams are ended in-band and the exit is still clean", async (t) => {
  const { server, stub, clientKey } = await streaming(t, "--drain-seconds=1");
  const streams = await begun(server, clientKey);
  await stub.requests(STREAMS);
  const exited = once(server.process, "exit");
  server.process.kill("SIGTERM");
  const texts = await Promise.all(streams.map((each) => each.text()));
  assert.ok(
    texts.every((text) => /shutting_down|restarting/.test(text)),
    texts[0],
  );
  assert.ok(texts.every((text) => !text.includes("[DONE]")));
  const [code] = (await exited) as [number | null];
  assert.equal(code, 0, server.log());
});

test("a second signal ends the process at once", async (t) => {
  const { server, stub, clientKey } = await streaming(t, "--drain-seconds=3600");
  const streams = await begun(server, clientKey);
  await stub.requests(STREAMS);
  const control = await controlAddress(server);
  const exited = once(server.process, "exit");
  server.process.kill("SIGTERM");
  await until(async () => (await readyz(control)) === 503);
  server.process.kill("SIGTERM");
  const [code] = (await exited) as [number | null];
  assert.equal(code, 1);
  assert.match(server.log(), /second signal/);
  await Promise.allSettled(streams.map((each) => each.text()));
});

test("an exception that nobody caught is logged, running calls end, and the exit code says so", async (t) => {
  for (const failure of ["throw new Error('planted')", "Promise.reject(new Error('planted'))"]) {
    const before = process.env["NODE_OPTIONS"];
    const code = `process.on("SIGUSR2", () => { ${failure} })`;
    process.env["NODE_OPTIONS"] = `--import=data:text/javascript,${encodeURIComponent(code)}`;
    const server = await serve(t, dataFolder(t)).finally(() => {
      if (before === undefined) delete process.env["NODE_OPTIONS"];
      else process.env["NODE_OPTIONS"] = before;
    });
    const exited = once(server.process, "exit");
    server.process.kill("SIGUSR2");
    assert.deepEqual((await exited)[0], 1, server.log());
    assert.match(server.log(), /unexpected failure/);
    assert.match(server.log(), /planted/);
  }
});

async function streaming(t: TestContext, ...args: readonly string[]) {
  const folder = dataFolder(t);
  const stub = await upstream(t);
  const server = await serve(t, folder, ...args);
  await addProvider(server.api, stub);
  const clientKey = await addClientKey(server.api);
  return { folder, server, stub, clientKey, finish: slowly(stub) };
}

/** Answers begin at once and end when the returned function is called. */
function slowly(stub: UpstreamStub): () => void {
  const ends: (() => void)[] = [];
  stub.script = (_received, res) => {
    res.writeHead(200, { "content-type": "text/event-stream" });
    res.write(HEAD);
    ends.push(() => res.end(TAIL));
  };
  return () => ends.forEach((end) => end());
}

/** Streams whose heads have arrived. */
function begun(server: ServerProcess, clientKey: string): Promise<Response[]> {
  return Promise.all(Array.from({ length: STREAMS }, () => chat(server.proxyUrl, clientKey, true)));
}

async function controlAddress({ api }: ServerProcess): Promise<string> {
  const { listeners } = await api.system.getStatus({});
  return listeners.find(({ kind }) => kind === Listener_Kind.CONTROL)!.address;
}

async function readyz(address: string): Promise<number> {
  return (await fetch(`http://${address}/readyz`)).status;
}
