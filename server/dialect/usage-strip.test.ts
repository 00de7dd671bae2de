import assert from "node:assert/strict";
import { test } from "node:test";
import { UsageStripper } from "./usage-strip.js";

function strip(text: string): string {
  return new UsageStripper().push(Buffer.from(text)).toString();
}

test("the event that carries only usage goes, all others stay as they are", () => {
  const before = 'data: {"choices":[{"delta":{"content":"a"}}]}\n\n';
  const usage = 'data: {"id":"x","choices":[],"usage":{"prompt_tokens":1,"total_tokens":2}}\n\n';
  assert.equal(strip(`${before}${usage}data: [DONE]\n\n`), `${before}data: [DONE]\n\n`);
  assert.equal(strip(usage), "");
});

test("usage:null goes with its comma, wherever it stands", () => {
  assert.equal(strip('data: {"a":1,"usage":null}\n\n'), 'data: {"a":1}\n\n');
  assert.equal(strip('data: {"usage":null,"a":1}\n\n'), 'data: {"a":1}\n\n');
  assert.equal(strip('data: {"a":1, "usage" : null , "b":2}\n\n'), 'data: {"a":1 , "b":2}\n\n');
  assert.equal(strip('data:{"usage":null}\r\n\r\n'), "data:{}\r\n\r\n");
});

test("the usage goes however its event is written", () => {
  for (const event of [
    'data: {"id":"x","choices":null,"usage":{"total_tokens":2}}\n\n',
    'data: {"id":"x","choices":[],\ndata: "usage":{"total_tokens":2}}\n\n',
    'id: 9\r\ndata: {"choices":[],\r\ndata: "usage":{"total_tokens":2}}\r\n\r\n',
    ': a comment\ndata: {"choices":[],"usage":{"total_tokens":2}}\n\n',
  ]) {
    assert.equal(strip(`${event}data: [DONE]\n\n`), "data: [DONE]\n\n");
  }
  const comment = ': data: {"usage":null}\n';
  assert.equal(strip(`${comment}data: {"a":1,"usage":null}\n\n`), `${comment}data: {"a":1}\n\n`);
});

test("usage in a text, or inside another object, is not touched", () => {
  for (const event of [
    `data: ${JSON.stringify({ choices: [{ delta: { content: '"usage":null' } }] })}\n\n`,
    'data: {"x":{"usage":null}}\n\n',
    'data: {"choices":[{"delta":{}}],"usage":{"prompt_tokens":1}}\n\n',
    'data: {"choices":[],"prompt_filter_results":[]}\n\n',
    ": usage\n\n",
    ': data: {"usage":null}\n\n',
    'data: {"a":1,\ndata: "usage":null}\n\n',
    'data: not json "usage":null\n\n',
  ]) {
    assert.equal(strip(event), event);
  }
});

test("an untouched read is passed by reference", () => {
  const events = Buffer.from('data: {"a":1}\n\n');
  assert.equal(new UsageStripper().push(events), events);
});
