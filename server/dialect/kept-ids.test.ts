import assert from "node:assert/strict";
import test from "node:test";
import { keptIds, NAMED, namedIn, responseId } from "./kept-ids.js";

const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

test("a request names things where its kind has them, and nowhere else", () => {
  const tool = { type: "file_search", vector_store_ids: ["vs_1", "vs_2"] };
  assert.deepEqual(namedIn(json({ tools: [tool] }), NAMED.responses), ["vs_1"]);
  const code = { type: "code_interpreter", container: "cntr_1" };
  assert.deepEqual(namedIn(json({ tools: [code] }), NAMED.responses), ["cntr_1"]);
  const auto = { container: { type: "auto", file_ids: ["file-1"] } };
  assert.deepEqual(namedIn(json({ tools: [auto] }), NAMED.responses), ["file-1"]);
  assert.deepEqual(namedIn(json({ container: "nginx" }), NAMED.responses), []);
  const said = { content: 'say "file_id": "file-9"', 'x"file_id': "file-8" };
  assert.deepEqual(namedIn(json({ messages: [said] }), NAMED.chat), []);
  assert.deepEqual(namedIn(json({ file: { file_id: "any" } }), NAMED.chat), ["any"]);
});

test("an argument of a tool names no file, and a vendor's own skill no thing", () => {
  const use = { type: "tool_use", name: "drive", input: { file_id: "1AbC", container: "x" } };
  assert.deepEqual(namedIn(json({ messages: [{ content: [use] }] }), NAMED.messages), []);
  const skills = { skills: [{ type: "anthropic", skill_id: "pptx" }] };
  assert.deepEqual(namedIn(json({ container: skills }), NAMED.messages), []);
  const own = { skills: [{ type: "custom", skill_id: "skill_1" }] };
  assert.deepEqual(namedIn(json({ container: own }), NAMED.messages), ["skill_1"]);
  const source = { type: "file", file_id: "file_1" };
  assert.deepEqual(namedIn(json({ source }), NAMED.messages), ["file_1"]);
});

test("Gemini's files are named by their address or their name, and videos of others are none", () => {
  const named = (part: object): readonly string[] =>
    namedIn(json({ contents: [{ parts: [part] }] }), NAMED.generate);
  const uri = "https://generativelanguage.googleapis.com/v1beta/files/a-1";
  assert.deepEqual(named({ fileData: { fileUri: uri } }), ["files/a-1"]);
  assert.deepEqual(named({ file_data: { file_uri: "files/a-1" } }), ["files/a-1"]);
  assert.deepEqual(named({ fileData: { fileUri: "https://youtu.be/x" } }), []);
  assert.deepEqual(named({ fileData: { fileUri: "https://example.com/files/a.pdf" } }), []);
  const cached = json({ cachedContent: "cachedContents/c", contents: [] });
  assert.deepEqual(namedIn(cached, NAMED.generate), ["cachedContents/c"]);
});

test("a reply says what is kept, whatever else stands in it", () => {
  assert.deepEqual(keptIds(json({ id: "vs_1", name: "files/x" }), "OPENAI"), ["vs_1"]);
  assert.deepEqual(keptIds(json({ id: "upload_1", file: { id: "file-1" } }), "OPENAI"), [
    "upload_1",
    "file-1",
  ]);
  for (const file of [null, "x", 7, [], {}, true]) {
    assert.deepEqual(keptIds(json({ id: "upload_1", file }), "OPENAI"), ["upload_1"]);
  }
  assert.deepEqual(keptIds(json({ file: { name: "files/a" } }), "GEMINI"), ["files/a"]);
  assert.deepEqual(keptIds(json({ name: "cachedContents/c", id: "x" }), "GEMINI"), [
    "cachedContents/c",
  ]);
  const results = { responsesFile: "files/batch-b" };
  const done = { name: "batches/b", metadata: { output: results, model: "m" }, response: results };
  assert.deepEqual(keptIds(json(done), "GEMINI"), ["batches/b", "files/batch-b", "files/batch-b"]);
  assert.deepEqual(keptIds(json({ name: "batches/b", metadata: null, response: 7 }), "GEMINI"), [
    "batches/b",
  ]);
  for (const text of ["", "[]", "7", "<html>", '{"id": "a", "id": "b"}', '{"id":']) {
    keptIds(Buffer.from(text), "OPENAI");
  }
  const stream = 'data: {"id":"chatcmpl-1","object":"chat.completion.chunk"}\n\n';
  assert.equal(responseId(Buffer.from(stream)), "chatcmpl-1");
});
