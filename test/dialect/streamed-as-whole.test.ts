import assert from "node:assert/strict";
import test from "node:test";
import Anthropic from "@anthropic-ai/sdk";
import fc from "fast-check";
import OpenAI from "openai";
import { replyEvents } from "../../server/dialect/reply-events.js";
import type { Form, Target } from "../../server/dialect/translate/side.js";
import { translatorFor } from "../../server/dialect/translate/translator.js";

// Whatever a provider replies: the stream that a caller's SDK puts together is the reply that it gets unstreamed.

type Json = Record<string, unknown>;

const FORMS: readonly Form[] = ["CHAT", "RESPONSES", "MESSAGES", "GENERATE"];
const BIG = ["-0", "1.0", "12345678901234567890", "1e400"];

const text = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 12 }),
  fc.constantFrom(
    "",
    " ",
    "data: x\n\n",
    "\r\n",
    "\u2028",
    "\uE000n1",
    "[DONE]",
    "\u0000",
    "\uFEFFa",
  ),
);
const scalar = fc.oneof(
  fc.constantFrom(...BIG, "true", "null", "[]", "{}"),
  text.map((each) => JSON.stringify(each)),
);
/** JSON text. Names that are numbers would change their place in JavaScript's objects. */
const args = fc
  .dictionary(fc.constantFrom("a", "é", "__proto__", "input", "b c"), scalar, { maxKeys: 3 })
  .map((given) => {
    const members = Object.entries(given).map(([key, value]) => `${JSON.stringify(key)}:${value}`);
    return `{${members.join(",")}}`;
  });
const name = fc.constantFrom("f", "g_1");
const id = fc.uuid().map((each) => `call_${each.slice(0, 8)}`);
const count = fc.nat(1000);

/** Stands for JSON text that is put in its place when the reply is written. */
const raw = (json: string): string => `\u{F0000}${Buffer.from(json).toString("base64")}\u{F0001}`;
const written = (reply: unknown): string =>
  JSON.stringify(reply).replaceAll(/"\u{F0000}(.*?)\u{F0001}"/gu, (_all, json: string) =>
    Buffer.from(json, "base64").toString(),
  );

const chatReply = fc
  .record({
    content: fc.option(text),
    thought: text,
    calls: fc.uniqueArray(fc.record({ id, name, args }), { maxLength: 3, selector: (c) => c.id }),
    reason: fc.constantFrom("stop", "length", "content_filter"),
    tokens: fc.tuple(count, count, count),
  })
  .map(({ content, thought, calls, reason, tokens: [cached, input, output] }) => ({
    id: "c1",
    object: "chat.completion",
    created: 1,
    model: "m",
    choices: [
      {
        index: 0,
        message: {
          role: "assistant",
          content,
          refusal: null,
          reasoning_content: thought,
          tool_calls: calls.map((call) => ({
            id: call.id,
            type: "function",
            function: { name: call.name, arguments: call.args },
          })),
        },
        finish_reason: reason,
      },
    ],
    usage: {
      prompt_tokens: cached + input,
      completion_tokens: output,
      prompt_tokens_details: { cached_tokens: cached },
    },
  }));

const block: fc.Arbitrary<Json> = fc.oneof(
  text.map((each) => ({ type: "text", text: each })),
  fc.record({
    type: fc.constant("thinking"),
    thinking: text,
    signature: fc.constantFrom("sig=", ""),
  }),
  fc.constant({ type: "redacted_thinking", data: "x" }),
  fc.record({ type: fc.constant("tool_use"), id, name, input: args.map(raw) }),
  fc.constant({ type: "server_tool_use", id: "s", name: "web_search", input: {} }),
);
const messagesReply = fc
  .record({
    content: fc.array(block, { maxLength: 5 }),
    stop_reason: fc.constantFrom("end_turn", "max_tokens", "refusal", "pause_turn", "tool_use"),
    tokens: fc.tuple(count, count, count),
  })
  .map(({ tokens: [input_tokens, cache_read_input_tokens, output_tokens], ...rest }) => ({
    id: "msg_1",
    type: "message",
    role: "assistant",
    model: "m",
    ...rest,
    stop_sequence: null,
    stop_details: { type: "refusal", explanation: "Not this." },
    usage: { input_tokens, cache_read_input_tokens, output_tokens },
  }));

const item: fc.Arbitrary<Json> = fc.oneof(
  fc
    .array(
      fc.oneof(
        text.map((each) => ({ type: "output_text", text: each, annotations: [] })),
        text.map((refusal) => ({ type: "refusal", refusal })),
      ),
      { maxLength: 2 },
    )
    .map((content) => ({ type: "message", id: "m", role: "assistant", content })),
  fc
    .record({
      summary: fc.array(text, { maxLength: 2 }),
      content: fc.array(text, { maxLength: 1 }),
      signed: fc.boolean(),
    })
    .map(({ summary, content, signed }) => ({
      type: "reasoning",
      id: "r",
      summary: summary.map((each) => ({ type: "summary_text", text: each })),
      content: content.map((each) => ({ type: "reasoning_text", text: each })),
      ...(signed ? { encrypted_content: "gAA" } : {}),
    })),
  fc.record({ id, name, args }).map((call) => ({
    type: "function_call",
    id: "f",
    call_id: call.id,
    name: call.name,
    arguments: call.args,
  })),
);
const responsesReply = fc
  .record({
    output: fc.array(item, { maxLength: 4 }),
    status: fc.constantFrom("completed", "incomplete"),
    tokens: fc.tuple(count, count),
  })
  .map(({ output, status, tokens: [input_tokens, output_tokens] }) => ({
    id: "resp_1",
    object: "response",
    created_at: 1,
    model: "m",
    status,
    error: null,
    incomplete_details: status === "completed" ? null : { reason: "max_output_tokens" },
    output,
    usage: { input_tokens, output_tokens },
  }));

const part: fc.Arbitrary<Json> = fc.oneof(
  text.map((each) => ({ text: each })),
  text.map((each) => ({ text: each, thought: true })),
  fc.record({ functionCall: fc.record({ name, args: args.map(raw) }) }),
  fc.record({
    functionCall: fc.record({ id, name, args: args.map(raw) }),
    thoughtSignature: fc.constant("c2ln"),
  }),
);
const generateReply = fc
  .record({
    parts: fc.array(part, { maxLength: 5 }),
    finishReason: fc.constantFrom("STOP", "MAX_TOKENS", "SAFETY"),
    tokens: fc.tuple(count, count, count),
  })
  .map(({ parts, finishReason, tokens }) => ({
    candidates: [{ content: { role: "model", parts }, finishReason, index: 0 }],
    usageMetadata: {
      promptTokenCount: tokens[0],
      candidatesTokenCount: tokens[1],
      thoughtsTokenCount: tokens[2],
    },
    modelVersion: "m",
    responseId: "r",
  }));

const REPLIES: Readonly<Record<Form, fc.Arbitrary<unknown>>> = {
  CHAT: chatReply,
  RESPONSES: responsesReply,
  MESSAGES: messagesReply,
  GENERATE: generateReply,
};

const HI = [{ role: "user", content: "hi" }];
const REQUESTS: Readonly<Record<Form, Json>> = {
  CHAT: { model: "m", messages: HI, stream_options: { include_usage: true } },
  RESPONSES: { model: "m", input: "hi", store: false },
  MESSAGES: { model: "m", max_tokens: 9, messages: HI },
  GENERATE: {
    contents: [{ parts: [{ text: "hi" }] }],
    generationConfig: { thinkingConfig: { includeThoughts: true } },
  },
};
const TARGET: Target = { model: "m", maxOutput: null, providerSlug: "x", asksUsage: true };
const CALL = { id: "call", nowSeconds: 1, streamed: true, modelAsked: "m", asArray: false };

/** An SDK's way to the internet, on which these bytes come. */
function answering(bytes: Buffer): typeof fetch {
  const headers = { "content-type": "text/event-stream" };
  return () => Promise.resolve(new Response(new Uint8Array(bytes), { headers }));
}

/** What the official SDKs make of a stream. */
const SDKS: Readonly<Record<Form, (bytes: Buffer) => Promise<unknown>>> = {
  CHAT: (bytes) =>
    new OpenAI({ apiKey: "k", fetch: answering(bytes) }).chat.completions
      .stream({ model: "m", messages: [], stream_options: { include_usage: true } })
      .finalChatCompletion(),
  RESPONSES: (bytes) =>
    new OpenAI({ apiKey: "k", fetch: answering(bytes) }).responses
      .stream({ model: "m", input: "hi" })
      .finalResponse(),
  MESSAGES: (bytes) =>
    new Anthropic({ apiKey: "k", fetch: answering(bytes) }).messages
      .stream({ model: "m", max_tokens: 9, messages: [] })
      .finalMessage(),
  GENERATE: (bytes) => {
    const pieces = bytes.toString().split("\r\n\r\n").slice(0, -1);
    const replies = pieces.map((each) => JSON.parse(each.slice("data: ".length)) as Json);
    const last = replies.at(-1)!;
    const [candidate] = last["candidates"] as Json[];
    const parts = replies.flatMap((each) => partsOf(each));
    return Promise.resolve({
      ...last,
      candidates: [{ ...candidate, content: { role: "model", parts } }],
    });
  },
};

function partsOf(reply: Json): Json[] {
  const [candidate] = reply["candidates"] as { content: { parts: Json[] } }[];
  return candidate?.content.parts ?? [];
}

/** Members that the SDKs add, number or leave out, and ids of ours. */
const PASSED_OVER: Readonly<Record<Form, ReadonlySet<string>>> = {
  CHAT: new Set(["parsed", "parsed_arguments", "reasoning_content", "reasoning_details", "index"]),
  RESPONSES: new Set(["parsed", "parsed_arguments", "output_parsed", "output_text", "id"]),
  MESSAGES: new Set(["parsed_output"]),
  GENERATE: new Set(),
};

/** A reply without what means nothing. */
function plain(reply: unknown, form: Form): Json {
  const passedOver = PASSED_OVER[form];
  const given = JSON.parse(JSON.stringify(reply), (key, value: unknown) =>
    passedOver.has(key) || value === null || value === "" ? undefined : value,
  ) as Json;
  if (form !== "GENERATE") return given;
  const [candidate] = given["candidates"] as Json[];
  return { ...given, candidates: [{ ...candidate, content: joined(partsOf(given)) }] };
}

/** Neighbouring texts are pieces of one. */
function joined(parts: readonly Json[]): Json[] {
  const made: Json[] = [];
  for (const each of parts) {
    const last = made.at(-1);
    if (Object.keys(each).every((key) => key === "thought")) continue;
    if ("text" in each && last?.["text"] !== undefined && each["thought"] === last["thought"]) {
      last["text"] = `${String(last["text"])}${String(each["text"])}`;
    } else made.push({ ...each });
  }
  return made;
}

for (const from of FORMS) {
  for (const to of FORMS) {
    if (from === to) continue;
    test(`a reply of ${from} reaches callers of ${to} alike, streamed and not`, async () => {
      const check = fc.asyncProperty(
        REPLIES[from],
        fc.integer({ min: 1, max: 40 }),
        async (given, cut) => {
          const reply = Buffer.from(written(given));
          const body = Buffer.from(JSON.stringify(REQUESTS[to]));
          const translator = translatorFor(to, from)!;
          const whole = translator.request(body, TARGET, CALL).reply(reply);
          const stream = translator.request(body, TARGET, CALL).stream();
          const events = replyEvents(reply, from)!;
          const out: Buffer[] = [];
          for (let at = 0; at < events.length; at += cut) {
            out.push(stream.push(events.subarray(at, at + cut)));
          }
          const streamed = await SDKS[to](Buffer.concat([...out, stream.end()]));
          assert.deepEqual(plain(streamed, to), plain(JSON.parse(whole.toString()), to));
        },
      );
      await fc.assert(check, { numRuns: 60 });
    });
  }
}
