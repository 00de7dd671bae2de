import assert from "node:assert/strict";
import test from "node:test";
import { signatureOf } from "../conversation.js";
import type { JsonObject } from "../json.js";
import { contentText, detailOf, thoughtsBroughtBack, thoughtsOf, toolCallOf } from "./parts.js";

/** A thought, with the signature that a text stands for. */
function thought(text: string, signature = "", redacted = false) {
  return { kind: "THINKING", text, signature: signatureOf(signature, "ANTHROPIC"), redacted };
}

function detail(type: string, more: JsonObject): JsonObject {
  return { type: `reasoning.${type}`, ...more };
}

const text = (said: string, more: JsonObject = {}) => detail("text", { text: said, ...more });

test("what a model thought is read in each form that OpenAI's imitators have for it, and once", () => {
  const pieces = [
    { type: "thinking", thinking: "H" },
    { type: "text", text: "Hi." },
    { type: "thinking", thinking: [{ text: "m" }, ".", 1, {}] },
  ];
  for (const [message, thoughts] of [
    [{ reasoning_content: "Hm." }, [thought("Hm.")]],
    [{ reasoning: "Hm." }, [thought("Hm.")]],
    [{ reasoning_content: "Hm.", reasoning: "no" }, [thought("Hm.")]],
    [{ reasoning_details: [text("Hm.")], reasoning: "no" }, [thought("Hm.")]],
    [{ reasoning_details: [], reasoning: "Hm." }, [thought("Hm.")]],
    [{ content: pieces }, [thought("H"), thought("m.")]],
    [{ reasoning_content: "", content: pieces.slice(0, 1) }, [thought("H")]],
    [{ reasoning: "", content: "Hi." }, []],
    [{ reasoning_details: [detail("new", { text: "?" })] }, []],
  ] as const) {
    assert.deepEqual(thoughtsOf(message), thoughts, JSON.stringify(message));
  }
});

test("a signature that comes behind a thought is of that, where the thought has none and can be read", () => {
  const sealed = (data: string, format?: string) => detail("encrypted", { data, format });
  const gemini = "google-gemini-v1";
  for (const [details, thoughts] of [
    [[text("A"), sealed("x", gemini)], [thought("A", "~gemini:x")]],
    [[text("A"), text("", { signature: "x" })], [thought("A", "x")]],
    [
      [text("A"), text("B", { signature: "x" })],
      [thought("A"), thought("B", "x")],
    ],
    [
      [text("A"), text("")],
      [thought("A"), thought("")],
    ],
    [
      [text("A", { signature: "x" }), sealed("y", gemini)],
      [thought("A", "x"), thought("", "~gemini:y")],
    ],
    [
      [text("A"), sealed("x")],
      [thought("A"), thought("", "x", true)],
    ],
    [
      [sealed(""), sealed("y", gemini)],
      [thought("", "", true), thought("", "~gemini:y")],
    ],
    [[sealed("y", gemini)], [thought("", "~gemini:y")]],
    [
      [detail("summary", { summary: "A" }), detail("summary", {})],
      [thought("A"), thought("")],
    ],
    [[detail("text", {})], [thought("")]],
  ] as const) {
    const message = { reasoning_details: details };
    assert.deepEqual(thoughtsOf(message), thoughts, JSON.stringify(details));
  }
});

test("the pieces of a thought that a caller brings back are put together where they are of one thought", () => {
  const at = (index: number, more: JsonObject = {}) => ({ index, ...more });
  for (const [details, thoughts] of [
    [
      [text("A", at(0)), text("B", at(0)), text("", at(0, { signature: "x" }))],
      [thought("AB", "x")],
    ],
    [[text("A", at(0)), detail("text", at(0, { signature: "x" }))], [thought("A", "x")]],
    [[detail("text", at(0)), text("B", at(0))], [thought("B")]],
    [
      [text("A", at(0)), text("B", at(1))],
      [thought("A"), thought("B")],
    ],
    [
      [text("A"), text("B")],
      [thought("A"), thought("B")],
    ],
    [
      [text("A", at(0, { signature: "x" })), text("B", at(0))],
      [thought("A", "x"), thought("B")],
    ],
    [
      [text("A", at(0)), detail("encrypted", at(0, { data: "x" })), text("B", at(0))],
      [thought("A"), thought("", "x", true), thought("B")],
    ],
    [
      [detail("summary", at(0, { summary: "A" })), text("B", at(0))],
      [thought("A"), thought("B")],
    ],
    // A signature of Anthropic's without its text is worth nothing; others' are.
    [[detail("text", at(0, { signature: "x" }))], [thought("")]],
    [[detail("text", at(0, { signature: "~gemini:x" }))], [thought("", "~gemini:x")]],
    [[text("", at(0, { signature: "x" }))], [thought("", "x")]],
  ] as const) {
    const message = { reasoning_details: details };
    assert.deepEqual(thoughtsBroughtBack(message), thoughts, JSON.stringify(details));
  }
  assert.deepEqual(thoughtsBroughtBack({ reasoning: "A" }), [thought("A")]);
});

test("a thought that is told as a detail is the same when it comes back", () => {
  for (const [said, signature, redacted] of [
    ["A", "x", false],
    ["A", "~gemini:x", false],
    ["A", "", false],
    ["", "x", true],
  ] as const) {
    const part = { ...thought(said, signature, redacted), kind: "THINKING" } as const;
    const told: unknown = JSON.parse(JSON.stringify(detailOf(part, 3)));
    assert.equal((told as JsonObject)["index"], 3);
    assert.deepEqual(thoughtsBroughtBack({ reasoning_details: [told] }), [part]);
  }
});

test("content is its text, in one piece or several, and nothing else of it", () => {
  const pieces = [{ type: "text", text: "H" }, { type: "image", text: "?" }, { type: "text" }, 1];
  for (const [content, said] of [
    ["Hi", "Hi"],
    [[...pieces, { type: "text", text: "i" }], "Hi"],
    [null, ""],
    [undefined, ""],
  ] as const) {
    assert.equal(contentText(content), said);
  }
});

test("a call is read with Google's signature of it, and with arguments in either form", () => {
  const extra_content = { google: { thought_signature: "c2ln" } };
  const signature = { origin: "GEMINI", value: "c2ln" };
  const call = { kind: "TOOL_CALL", id: "t1" };
  for (const [given, name, args, signed] of [
    [{ function: { name: "run", arguments: '{"a": 1}' } }, "run", '{"a": 1}', undefined],
    [
      { function: { name: "run", arguments: { a: 1 } }, extra_content },
      "run",
      '{"a":1}',
      signature,
    ],
    [{ extra_content: { google: {} } }, "", "{}", undefined],
    [{ function: {}, extra_content: {} }, "", "{}", undefined],
  ] as const) {
    assert.deepEqual(toolCallOf(given, "t1"), { ...call, name, args, signature: signed });
  }
});
