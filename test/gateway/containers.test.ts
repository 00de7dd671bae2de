import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import {
  replyEvents,
  replyJson,
  type Script,
  startUpstreamStub,
  type UpstreamStub,
} from "../support/upstream-stub.js";
import { startGateway, type TestGateway } from "./fixture.js";

// Anthropic's containers and threads live in the account of the key that made them; a reply names one, and a later request
// goes on in it.

let stub: UpstreamStub;
let gateway: TestGateway;

before(async () => {
  stub = await startUpstreamStub();
  const providers = [{ baseUrl: stub.origin, dialect: "ANTHROPIC" as const }];
  gateway = await startGateway({ providers, secrets: ["sk-first-00000000000000000000"] });
});

after(async () => {
  await gateway.close();
  await stub.close();
});

beforeEach(() => {
  gateway.authenticator.ownerId = "usr_owner";
});

const container = (id: string): object => ({
  id,
  expires_at: "2030-01-01T00:00:00Z",
  skills: null,
});
const USAGE = { input_tokens: 1, output_tokens: 1 };

function whole(container: unknown, content: readonly object[] = []): Script {
  return replyJson(
    200,
    JSON.stringify({ id: "msg_1", type: "message", content, container, usage: USAGE }),
  );
}

function streamed(container: unknown, input = "{}"): Script {
  const event = (type: string, members: object): string =>
    `event: ${type}\ndata: ${JSON.stringify({ type, ...members })}\n\n`;
  const delta = { type: "input_json_delta", partial_json: input };
  return replyEvents([
    event("message_start", { message: { id: "msg_1", container: null, usage: USAGE } }),
    event("content_block_delta", { index: 0, delta }),
    event("message_delta", { delta: { stop_reason: "end_turn", container }, usage: USAGE }),
    event("message_stop", {}),
  ]);
}

/** The key to which a request belongs that names a container. */
async function homeOf(named: unknown): Promise<string | undefined> {
  stub.script = whole(null);
  const body = { model: "m", max_tokens: 9, messages: [], container: named };
  const response = await gateway.post("/v1/messages", body);
  await response.text();
  assert.equal(response.status, 200);
  return gateway.pool.requests.at(-1)?.home;
}

async function ask(script: Script, stream: boolean): Promise<void> {
  stub.script = script;
  const recorded = gateway.sink.records.length;
  const body = { model: "m", max_tokens: 9, messages: [], stream };
  await (await gateway.post("/v1/messages", body)).text();
  await gateway.sink.record(recorded + 1);
}

for (const [name, script, stream] of [
  ["whole", whole(container("container_1")), false],
  ["streamed", streamed(container("container_2")), true],
] as const) {
  test(`a request goes to the account that holds its container, which a ${name} reply named`, async () => {
    const id = stream ? "container_2" : "container_1";
    assert.equal(await homeOf(id), "");
    await ask(script, stream);
    assert.equal(await homeOf(id), "pk_0");
    assert.equal(await homeOf({ id, skills: null }), "pk_0");
    assert.equal(await homeOf({ skills: [{ skill_id: "pdf" }], id }), "pk_0");
    gateway.authenticator.ownerId = "usr_other";
    assert.equal(await homeOf(id), "");
  });
}

test("what a model says of containers names none", async () => {
  const said = { container: container("container_x") };
  const use = { type: "tool_use", id: "toolu_1", name: "f", input: said };
  await ask(whole(null, [use]), false);
  await ask(streamed(null, JSON.stringify(said)), true);
  assert.equal(await homeOf("container_x"), "");
});

/** A message whose model is named before its id, as Anthropic writes it, and what a thread that goes on from it says. */
function said(id: string, stream: boolean): Script {
  const message = { model: "m", id, type: "message", content: [], usage: USAGE };
  if (!stream) return replyJson(200, JSON.stringify(message));
  const event = (type: string, members: object = {}): string =>
    `event: ${type}\ndata: ${JSON.stringify({ type, ...members })}\n\n`;
  return replyEvents([event("message_start", { message }), event("ping"), event("message_stop")]);
}

async function turn(thread: unknown, id: string, stream = false): Promise<string | undefined> {
  stub.script = said(id, stream);
  const recorded = gateway.sink.records.length;
  const body = { model: "m", max_tokens: 9, messages: [], thread, stream };
  await (await gateway.post("/v1/messages", body)).text();
  await gateway.sink.record(recorded + 1);
  return gateway.pool.requests.at(-1)?.home;
}

for (const stream of [false, true]) {
  test(`a thread goes on in the account that holds it, ${stream ? "streamed" : "whole"}`, async () => {
    const id = (nth: number): string => `msg_${String(stream)}_${String(nth)}`;
    const from = (nth: number): object => ({ type: "continue", previous_message_id: id(nth) });
    assert.equal(await turn({ type: "create" }, id(1), stream), "");
    assert.equal(await turn(from(1), id(2), stream), "pk_0");
    assert.equal(await turn(from(2), id(3), stream), "pk_0");
    assert.equal(await turn(null, id(4), stream), "", "no thread");
    assert.equal(await turn(from(4), id(5), stream), "", "what no thread said is not kept");
    gateway.authenticator.ownerId = "usr_other";
    assert.equal(await turn(from(2), id(6), stream), "");
  });
}
