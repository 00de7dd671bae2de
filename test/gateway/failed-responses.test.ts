import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { APIError } from "openai";
import type { ResponseStreamEvent } from "openai/resources/responses/responses";
import { Fault } from "../../server/core/fault.js";
import {
  messageEvents,
  replyCut,
  replyEvents,
  type Script,
  startUpstreamStub,
  type UpstreamStub,
} from "../support/upstream-stub.js";
import { startDialects, type TestGateway } from "./fixture.js";
import { openaiClient } from "./sdk-clients.js";

// How callers of the Responses API learn that their stream broke off: openai's SDK raises an event that has an `error`,
// Codex reads events by their `type` and takes `response.failed` alone for a failure.

const RESPONSE = {
  id: "resp_1",
  object: "response",
  created_at: 1,
  model: "m",
  output: [],
  status: "in_progress",
  error: null,
};
const MESSAGE = { id: "msg_1", type: "message", role: "assistant", status: "in_progress" };
const NATIVE = [
  event("response.created", 0, { response: RESPONSE }),
  event("response.output_item.added", 1, { output_index: 0, item: { ...MESSAGE, content: [] } }),
  event("response.content_part.added", 2, {
    output_index: 0,
    content_index: 0,
    part: { type: "output_text", text: "", annotations: [] },
  }),
  event("response.output_text.delta", 7, {
    output_index: 0,
    content_index: 0,
    delta: 'said "sequence_number": 99',
  }),
];
const OVERLOADED = { type: "error", error: { type: "overloaded_error", message: "Overloaded" } };
const TOLD = `event: error\ndata: ${JSON.stringify(OVERLOADED)}\n\n`;
const BROKE_OFF = "The provider's stream broke off before the reply was complete.";

let stub: UpstreamStub;
let gateways: Readonly<Record<"OPENAI" | "ANTHROPIC" | "GEMINI", TestGateway>>;

before(async () => {
  stub = await startUpstreamStub();
  gateways = await startDialects(stub.origin, { secrets: ["sk-upstream-000000000000000000"] });
});

after(async () => {
  for (const gateway of Object.values(gateways)) await gateway.close();
  await stub.close();
});

function event(type: string, sequence: number, members: object): string {
  const data = { type, sequence_number: sequence, ...members };
  return `event: ${type}\ndata: ${JSON.stringify(data)}\n\n`;
}

const ASKED = { model: "m", input: "hi", stream: true } as const;
const started = messageEvents(["Hello"]).slice(0, 3);
const CASES = [
  ["native", "OPENAI", replyCut(NATIVE), "stream_cut", BROKE_OFF],
  ["native without numbers", "OPENAI", replyCut(NATIVE.map(unnumbered)), "stream_cut", BROKE_OFF],
  ["translated", "ANTHROPIC", replyCut(started), "stream_cut", BROKE_OFF],
  [
    "translated that its provider fails",
    "ANTHROPIC",
    replyEvents([...started, TOLD]),
    "overloaded_error",
    "Overloaded",
  ],
] as const satisfies readonly (readonly [string, string, Script, string, string])[];

function unnumbered(text: string): string {
  return text.replace(/"sequence_number":\d+,/, "");
}

for (const [name, dialect, script, code, message] of CASES) {
  test(`a ${name} response that breaks off ends with the events of the API that say so`, async () => {
    stub.script = script;
    const text = await (await gateways[dialect].post("/v1/responses", ASKED)).text();
    const events = eventsOf(text);
    const [error, failed] = events.slice(-2);
    assert.equal(error?.name, "error");
    const { sequence_number: sequence, ...told } = error.data;
    assert.deepEqual(told, {
      type: "error",
      code,
      message,
      param: null,
      error: { type: "server_error", code, message, param: null },
    });
    assert.equal(failed?.name, "response.failed");
    assert.equal(failed.data["type"], "response.failed");
    const { id, status, error: why } = failed.data["response"] as Record<string, unknown>;
    assert.deepEqual(
      { id, status, why },
      { id: idOf(events), status: "failed", why: { code, message } },
    );
    const before = events.at(-3)?.data["sequence_number"];
    assert.equal(sequence, before === undefined ? 0 : Number(before) + 1);
    assert.equal(failed.data["sequence_number"], sequence + 1);
    assert.doesNotMatch(text, /response\.completed/);
  });

  test(`openai's SDK raises that a ${name} response broke off`, async () => {
    stub.script = script;
    const openai = openaiClient(gateways[dialect]);
    const isTold = (thrown: unknown): boolean =>
      thrown instanceof APIError && thrown.message === message && thrown.code === code;
    const stream = await openai.responses.create(ASKED);
    await assert.rejects(read(stream), isTold);
    await assert.rejects(openai.responses.stream(ASKED).finalResponse(), isTold);
  });
}

test("a response of unknown id that is ended from here has an id all the same", async () => {
  stub.script = (_received, res) => {
    res.writeHead(200, { "content-type": "text/event-stream" });
    res.write(NATIVE.at(-1));
  };
  const response = await gateways.OPENAI.post("/v1/responses", ASKED);
  gateways.OPENAI.gateway.cut(new Fault("vault_locked", "The vault is locked."));
  const failed = eventsOf(await response.text()).at(-1)?.data["response"] as Record<
    string,
    unknown
  >;
  assert.match(String(failed["id"]), /^resp_\w/);
  assert.deepEqual(failed["error"], { code: "vault_locked", message: "The vault is locked." });
});

async function read(stream: AsyncIterable<ResponseStreamEvent>): Promise<void> {
  for await (const each of stream) assert.notEqual(each.type, "response.failed");
}

interface ToldEvent {
  readonly name: string;
  readonly data: Record<string, unknown>;
}

function eventsOf(text: string): ToldEvent[] {
  assert.ok(text.endsWith("\n\n"));
  const blocks = text.slice(0, -2).split("\n\n");
  return blocks.map((block) => {
    const [, name = "", data = ""] = /^event: (.*)\ndata: (.*)$/.exec(block) ?? [];
    return { name, data: JSON.parse(data) as Record<string, unknown> };
  });
}

function idOf([created]: readonly ToldEvent[]): unknown {
  return (created?.data["response"] as Record<string, unknown> | undefined)?.["id"];
}
