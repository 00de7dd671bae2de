import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "./json.js";
import type { Target } from "./side.js";
import { type Translation, translatorFor } from "./translator.js";

const TARGET: Target = { model: "m", maxOutput: 9, providerSlug: "p", asksUsage: true };

function ask(
  way: readonly [Parameters<typeof translatorFor>[0], Parameters<typeof translatorFor>[1]],
  body: JsonObject,
  streamed = false,
): Translation {
  const call = { id: "call_1", nowSeconds: 1, streamed, modelAsked: "m", asArray: false };
  return translatorFor(...way)!.request(Buffer.from(JSON.stringify(body)), TARGET, call);
}

const MESSAGES_ASK = { model: "m", max_tokens: 9, messages: [{ role: "user", content: "hi" }] };

test("what an assistant refused earlier goes on as its words", () => {
  const { body } = ask(["CHAT", "MESSAGES"], {
    model: "m",
    messages: [
      { role: "user", content: "a" },
      {
        role: "assistant",
        content: [
          { type: "text", text: "First." },
          { type: "refusal", refusal: "Not that." },
        ],
      },
      { role: "user", content: "b" },
    ],
  });
  assert.deepEqual(JSON.parse(body.toString()).messages[1].content, [
    { type: "text", text: "First." },
    { type: "text", text: "Not that." },
  ]);
});

test("sound that a Gemini caller brings is heard by a model of OpenAI's dialect, in its words", () => {
  for (const [mimeType, format] of [
    ["audio/wav", "wav"],
    ["audio/x-wav", "wav"],
    ["audio/wave", "wav"],
    ["audio/mpeg", "mp3"],
    ["audio/mp3", "mp3"],
  ]) {
    const { body } = ask(["GENERATE", "CHAT"], {
      contents: [
        { role: "user", parts: [{ text: "Hear" }, { inlineData: { mimeType, data: "UklG" } }] },
      ],
    });
    assert.deepEqual(JSON.parse(body.toString()).messages, [
      {
        role: "user",
        content: [
          { type: "text", text: "Hear" },
          { type: "input_audio", input_audio: { data: "UklG", format } },
        ],
      },
    ]);
  }
});

test("an error that is no more than a sentence reaches the caller as that", () => {
  const way = ask(["MESSAGES", "CHAT"], MESSAGES_ASK);
  const said = JSON.parse(way.error(503, JSON.stringify({ error: "Model is loading" })));
  assert.equal(said.type, "error");
  assert.match(said.error.message, /Model is loading/);
});

test("thoughts in pieces, as some providers of OpenAI's dialect bring them, are thoughts", () => {
  const way = ask(["MESSAGES", "CHAT"], MESSAGES_ASK);
  const pieces = [
    { type: "text", text: "Let me " },
    { type: "text", text: "see." },
  ];
  const message = {
    role: "assistant",
    content: [
      { type: "thinking", thinking: pieces },
      { type: "text", text: "Yes." },
    ],
  };
  const body = { id: "c", model: "m", choices: [{ index: 0, message, finish_reason: "stop" }] };
  const { content } = JSON.parse(way.reply(Buffer.from(JSON.stringify(body))).toString());
  assert.deepEqual(
    content.map((block: JsonObject) => [block["type"], block["thinking"] ?? block["text"]]),
    [
      ["thinking", "Let me see."],
      ["text", "Yes."],
    ],
  );
});
