import assert from "node:assert/strict";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import test, { type TestContext } from "node:test";
import Anthropic from "@anthropic-ai/sdk";
import AnthropicOld from "anthropic-old";
import OpenAI from "openai";
import type { Form } from "../../server/dialect/translate/side.js";
import { translatorFor } from "../../server/dialect/translate/translator.js";

/** What a provider answers, as JSON or as the text of its events. */
type Answer = object | string;

interface Loopback {
  readonly url: string;
  /** The request as the provider would have got it. */
  readonly asked: () => Record<string, unknown>;
}

/** A server that translates between its caller and an answer that stands for the provider's. */
async function loopback(t: TestContext, from: Form, to: Form, answer: Answer): Promise<Loopback> {
  let asked: Record<string, unknown> = {};
  const server: Server = createServer((req, res) => {
    const chunks: Buffer[] = [];
    req.on("data", (chunk: Buffer) => chunks.push(chunk));
    req.on("end", () => {
      const streamed = typeof answer === "string";
      const target = { model: "m", maxOutput: 4096, providerSlug: "x", asksUsage: true };
      const call = { id: "call_1", nowSeconds: 1, streamed, modelAsked: "m", asArray: false };
      const translation = translatorFor(from, to)!.request(Buffer.concat(chunks), target, call);
      asked = JSON.parse(translation.body.toString());
      res.setHeader("content-type", streamed ? "text/event-stream" : "application/json");
      if (!streamed) {
        res.end(translation.reply(Buffer.from(JSON.stringify(answer))));
        return;
      }
      const stream = translation.stream();
      const bytes = Buffer.from(answer);
      for (let at = 0; at < bytes.length; at += 11)
        res.write(stream.push(bytes.subarray(at, at + 11)));
      res.end();
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${String(port)}`, asked: () => asked };
}

function chunks(...deltas: object[]): string {
  const events = deltas.map((delta) => ({
    id: "c1",
    object: "chat.completion.chunk",
    created: 1,
    model: "gpt",
    choices: [{ index: 0, delta, finish_reason: null }],
  }));
  const end = { id: "c1", choices: [{ index: 0, delta: {}, finish_reason: "tool_calls" }] };
  const usage = { id: "c1", choices: [], usage: { prompt_tokens: 11, completion_tokens: 5 } };
  const texts = [...events, end, usage].map((each) => `data: ${JSON.stringify(each)}\n\n`);
  return `${texts.join("")}data: [DONE]\n\n`;
}

const CHAT_STREAM = chunks(
  { role: "assistant", content: "" },
  { reasoning_content: "hm" },
  { content: "Grüße, " },
  { content: "Welt 🌍" },
  { tool_calls: [{ index: 0, id: "t1", function: { name: "weather", arguments: '{"at":' } }] },
  { tool_calls: [{ index: 1, id: "t2", function: { name: "weather", arguments: "" } }] },
  { tool_calls: [{ index: 0, function: { arguments: '"Köln"}' } }] },
);

function events(...list: (Record<string, unknown> & { type: string })[]): string {
  return list.map((each) => `event: ${each.type}\ndata: ${JSON.stringify(each)}\n\n`).join("");
}

const MESSAGES_STREAM = events(
  {
    type: "message_start",
    message: {
      id: "msg_1",
      type: "message",
      role: "assistant",
      model: "claude",
      content: [],
      stop_reason: null,
      stop_sequence: null,
      usage: { input_tokens: 4, cache_read_input_tokens: 3, output_tokens: 1 },
    },
  },
  { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
  { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "Grüße" } },
  { type: "content_block_stop", index: 0 },
  {
    type: "content_block_start",
    index: 1,
    content_block: { type: "tool_use", id: "t1", name: "weather", input: {} },
  },
  {
    type: "content_block_delta",
    index: 1,
    delta: { type: "input_json_delta", partial_json: '{"a":' },
  },
  {
    type: "content_block_delta",
    index: 1,
    delta: { type: "input_json_delta", partial_json: "1}" },
  },
  { type: "content_block_stop", index: 1 },
  {
    type: "content_block_start",
    index: 2,
    content_block: { type: "tool_use", id: "t2", name: "clock", input: {} },
  },
  { type: "content_block_stop", index: 2 },
  { type: "message_delta", delta: { stop_reason: "tool_use" }, usage: { output_tokens: 8 } },
  { type: "message_stop" },
);

for (const [name, Sdk] of [
  ["@anthropic-ai/sdk", Anthropic],
  // The same in all that is used here.
  ["its version before", AnthropicOld as unknown as typeof Anthropic],
] as const) {
  test(`${name} reads a chat stream as a message`, async (t) => {
    const { url, asked } = await loopback(t, "MESSAGES", "CHAT", CHAT_STREAM);
    const client = new Sdk({ apiKey: "k", baseURL: url, maxRetries: 0 });
    const message = await client.messages
      .stream({ model: "m", max_tokens: 99, messages: [{ role: "user", content: "hi" }] })
      .finalMessage();
    assert.equal(asked()["stream"], true);
    assert.equal(message.stop_reason, "tool_use");
    assert.deepEqual(
      message.content.map((block) => {
        if (block.type === "text") return block.text;
        if (block.type === "thinking") return block.thinking;
        return block.type === "tool_use" ? [block.id, block.input] : block.type;
      }),
      ["hm", "Grüße, Welt 🌍", ["t1", { at: "Köln" }], ["t2", {}]],
    );
    assert.equal(message.usage.input_tokens, 11);
    assert.equal(message.usage.output_tokens, 5);
  });
}

test("the openai SDK reads a message stream as a chat completion", async (t) => {
  const { url, asked } = await loopback(t, "CHAT", "MESSAGES", MESSAGES_STREAM);
  const client = new OpenAI({ apiKey: "k", baseURL: `${url}/v1`, maxRetries: 0 });
  const completion = await client.chat.completions
    .stream({
      model: "m",
      messages: [{ role: "user", content: "hi" }],
      stream_options: { include_usage: true },
    })
    .finalChatCompletion();
  assert.equal(asked()["max_tokens"], 4096);
  const [choice] = completion.choices;
  assert.equal(choice?.finish_reason, "tool_calls");
  assert.equal(choice?.message.content, "Grüße");
  assert.deepEqual(
    choice?.message.tool_calls?.map((each) =>
      each.type === "function" ? [each.id, each.function.name, each.function.arguments] : [],
    ),
    [
      ["t1", "weather", '{"a":1}'],
      ["t2", "clock", "{}"],
    ],
  );
  assert.equal(completion.usage?.prompt_tokens, 7);
  assert.equal(completion.usage?.completion_tokens, 8);
});

test("the openai SDK reads a message stream as a response", async (t) => {
  const { url, asked } = await loopback(t, "RESPONSES", "MESSAGES", MESSAGES_STREAM);
  const client = new OpenAI({ apiKey: "k", baseURL: `${url}/v1`, maxRetries: 0 });
  const response = await client.responses
    .stream({ model: "m", input: "hi", instructions: "rules" })
    .finalResponse();
  assert.equal(asked()["system"], "rules");
  assert.equal(response.status, "completed");
  assert.equal(response.output_text, "Grüße");
  assert.deepEqual(
    response.output.flatMap((item) =>
      item.type === "function_call" ? [[item.call_id, item.name, item.arguments]] : [],
    ),
    [
      ["t1", "weather", '{"a":1}'],
      ["t2", "clock", "{}"],
    ],
  );
  assert.equal(response.usage?.input_tokens, 7);
  assert.equal(response.usage?.output_tokens, 8);
});

test("whole replies are read by the SDKs as well", async (t) => {
  const reply = {
    id: "c1",
    model: "gpt",
    choices: [{ index: 0, message: { content: "Hallo" }, finish_reason: "stop" }],
    usage: { prompt_tokens: 2, completion_tokens: 1 },
  };
  const messages = await loopback(t, "MESSAGES", "CHAT", reply);
  const message = await new Anthropic({ apiKey: "k", baseURL: messages.url }).messages.create({
    model: "m",
    max_tokens: 9,
    messages: [{ role: "user", content: "hi" }],
  });
  assert.deepEqual(
    [message.content[0], message.usage.input_tokens],
    [{ type: "text", text: "Hallo" }, 2],
  );
  const responses = await loopback(t, "RESPONSES", "CHAT", reply);
  const client = new OpenAI({ apiKey: "k", baseURL: `${responses.url}/v1` });
  const response = await client.responses.create({ model: "m", input: "hi" });
  assert.equal(response.output_text, "Hallo");
});
