import assert from "node:assert/strict";
import { test } from "node:test";
import { HeldMedia } from "./held-media.js";
import type { JsonObject } from "./json.js";
import type { ItemMemory, KeptResponse } from "./kept-response.js";
import type { Form } from "./side.js";
import { type Translation, translatorFor } from "./translator.js";

const BYTES = 100_000;
const BEGINS = { "image/png": "iVBORw0KGgo", "application/pdf": "JVBERi0", "audio/wav": "UklGR" };
const FORMS = ["CHAT", "RESPONSES", "MESSAGES", "GENERATE"] as const;

function medium(mediaType: keyof typeof BEGINS, bytes = BYTES): string {
  return BEGINS[mediaType].padEnd(bytes, `${mediaType.replaceAll(/\W/g, "+")}==/-_`);
}

const PNG = medium("image/png");
const dataUrl = (data: string): string => `data:image/png;base64,${data}`;

/** Each form's request with media in it, those of a tool's result and call as well. */
const REQUESTS: Readonly<Record<Form, JsonObject>> = {
  CHAT: {
    model: "m",
    messages: [
      {
        role: "user",
        content: [
          { type: "text", text: "Look ü" },
          { type: "image_url", image_url: { url: dataUrl(PNG) } },
          { type: "file", file: { filename: "f", file_data: medium("application/pdf") } },
        ],
      },
    ],
  },
  RESPONSES: {
    model: "m",
    input: [
      {
        role: "user",
        content: [
          { type: "input_image", image_url: dataUrl(PNG) },
          { type: "input_text", text: "Look" },
          { type: "input_image", image_url: dataUrl(medium("image/png", BYTES + 4)) },
        ],
      },
    ],
  },
  MESSAGES: {
    model: "m",
    max_tokens: 9,
    messages: [
      { role: "user", content: "Draw" },
      {
        role: "assistant",
        content: [{ type: "tool_use", id: "t", name: "f", input: { png: PNG } }],
      },
      {
        role: "user",
        content: [
          {
            type: "tool_result",
            tool_use_id: "t",
            content: [
              { type: "image", source: { type: "base64", media_type: "image/png", data: PNG } },
            ],
          },
        ],
      },
    ],
  },
  GENERATE: {
    contents: [
      {
        role: "user",
        parts: [
          { inlineData: { mimeType: "image/png", data: PNG } },
          { inlineData: { mimeType: "application/pdf", data: medium("application/pdf") } },
        ],
      },
    ],
  },
};

function ask(from: Form, to: Form, body: string, memory?: ItemMemory): Translation {
  const target = { model: "m", maxOutput: 9, providerSlug: "p", asksUsage: true };
  const call = { id: "call_1", nowSeconds: 1, streamed: false, modelAsked: "m", asArray: false };
  return translatorFor(from, to)!.request(Buffer.from(body), target, { ...call, memory });
}

/** Each medium as short as it may be: what then comes is translated in one piece. */
function shortened(body: string): { short: string; lengthened: (made: string) => string } {
  const media = [...new Set(body.match(/[\w+/=-]{50000,}/g))];
  const shorts = media.map((each, at) => `${each.slice(0, 20)}short${String(at)}`);
  const swap = (text: string, from: readonly string[], to: readonly string[]): string =>
    from.reduce((all, each, at) => all.replaceAll(each, to[at] ?? ""), text);
  return {
    short: swap(body, media, shorts),
    lengthened: (made) => swap(made, shorts, media),
  };
}

for (const from of FORMS) {
  for (const to of FORMS.filter((form) => form !== from)) {
    test(`large media of ${from} come to ${to} as they are, and are neither parsed nor written`, (t) => {
      const body = JSON.stringify(REQUESTS[from]);
      const { short, lengthened } = shortened(body);
      const wanted = lengthened(ask(from, to, short).body.toString());
      const parse = t.mock.method(JSON, "parse");
      const stringify = t.mock.method(JSON, "stringify");
      const made = ask(from, to, body).body.toString();
      assert.ok(made === wanted);
      const read = parse.mock.calls.map((call) => call.arguments[0].length);
      const wrote = stringify.mock.calls.map((call) => call.result?.length ?? 0);
      assert.ok(read.length + wrote.length > 0);
      assert.ok(Math.max(...read, ...wrote) < 5_000, `${String(read)} ${String(wrote)}`);
    });
  }
}

test("of a request whose media are looked into, or left out, nothing is held", () => {
  const text = "iVBORw0KGgo".padEnd(BYTES, "A");
  const said = Buffer.from(text, "base64").toString();
  const source = { type: "base64", media_type: "text/plain", data: text };
  const document = { type: "document", source };
  const content = [{ type: "text", text: "Look" }, document];
  const body = { model: "m", max_tokens: 9, messages: [{ role: "user", content }] };
  const made = ask("MESSAGES", "CHAT", JSON.stringify(body)).body.toString();
  assert.doesNotMatch(made, /~held/);
  assert.ok(made.includes(JSON.stringify(said)));
});

test("what is kept of a request holds its media", () => {
  const kept: KeptResponse[] = [];
  const memory = {
    item: () => undefined,
    conversation: () => undefined,
    keep: (response: KeptResponse) => void kept.push(response),
  };
  const asked = ask("RESPONSES", "CHAT", JSON.stringify(REQUESTS.RESPONSES), memory);
  const message = { role: "assistant", content: "A cat." };
  const choices = [{ index: 0, finish_reason: "stop", message }];
  asked.reply(Buffer.from(JSON.stringify({ id: "c", model: "m", choices })));
  assert.equal(kept.length, 1);
  const text = kept[0]?.input.toString() ?? "";
  assert.ok(text.includes(dataUrl(PNG)));
  assert.doesNotMatch(text, /~held/);
});

test("only media that stand in JSON as they are are held", () => {
  const held = (value: string, other = "x"): HeldMedia | undefined =>
    HeldMedia.of(Buffer.from(`{"a":"${value}","b":"${other}"}`), "call_1");
  for (const data of [PNG, dataUrl(PNG), medium("audio/wav")]) {
    const made = held(data);
    assert.ok(made !== undefined && made.text.length < 200, made?.text);
    assert.equal(made.putBack(made.text)?.toString(), `{"a":"${data}","b":"x"}`);
    assert.equal(made.putBack("{}"), undefined);
  }
  for (const data of [
    medium("image/png", 1_000),
    PNG.slice(5),
    `data:image/png,${PNG}`,
    `${PNG}\\n${PNG}`,
    `${PNG}ü`,
  ]) {
    assert.equal(held(data, "text".repeat(BYTES)), undefined, data.slice(0, 40));
  }
});
