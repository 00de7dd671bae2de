import assert from "node:assert/strict";
import { test } from "node:test";
import { parseRecord } from "./json-record.js";
import { ResponseProgress } from "./response-progress.js";

const NO_TAIL = { bytes: () => Buffer.alloc(0) };

function finishes(...events: readonly string[]): boolean {
  const progress = new ResponseProgress();
  progress.push(Buffer.from(events.join("")), NO_TAIL);
  return progress.finished;
}

test("the end of a response is seen wherever its type stands, and in nothing else", () => {
  for (const event of [
    'event: response.completed\ndata: {"type":"response.completed"}\n\n',
    'data: {"type":"response.incomplete"}\n\n',
    'data: {"sequence_number":9,"response":{},"type":"response.failed"}\n\n',
  ]) {
    assert.ok(finishes("data:\n\n", event, ": ping\n\n"), event);
  }
  for (const event of [
    'data: {"type":"response.created"}\n\n',
    'data: {"a":"response.completed","type":"ping"}\n\n',
    'data: {"a":1,"type":"response.completed"\n\n',
    "data: response.completed\n\n",
  ]) {
    assert.ok(!finishes(event), event);
  }
});

test("an event that says nothing is not parsed to find that out", ({ mock }) => {
  const { mock: parse } = mock.method(JSON, "parse");
  finishes("data:\n\n", "data: {\n\n", "data: x\n\n", 'data: {"type"\n\n', ": ping\n\n");
  for (const text of ["", "x", "[]", "1", '"a"']) assert.equal(parseRecord(text), undefined);
  assert.equal(parse.callCount(), 0);
  assert.deepEqual(parseRecord(' \n{"a":1}'), { a: 1 });
});
