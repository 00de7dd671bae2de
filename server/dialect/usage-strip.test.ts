import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { UsageStripper } from "./usage-strip.js";

function strip(text: string): string {
  const stripper = new UsageStripper();
  return stripper.push(stripper.trim(Buffer.from(text))).toString();
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
    'data: {"id":"x","object":"chat.completion.chunk","usage":{"total_tokens":2}}\n\n',
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
    'data: {"error":{"message":"m"},"usage":{"prompt_tokens":1}}\n\n',
    ": usage\n\n",
    ': data: {"usage":null}\n\n',
    'data: {"a":1,\ndata: "usage":null}\n\n',
    'data: not json "usage":null\n\n',
  ]) {
    assert.equal(strip(event), event);
  }
});

test("what is left of a read is where the read was, but for a copy of one that tells usage", () => {
  const stripper = new UsageStripper();
  const untouched = Buffer.from('data: {"a":1}\n\n');
  assert.equal(stripper.push(stripper.trim(untouched)), untouched);
  const nulls = Buffer.from('data: {"a":1,"usage":null}\n\n'.repeat(3));
  const trimmed = stripper.trim(nulls);
  assert.equal(String(trimmed), 'data: {"a":1}\n\n'.repeat(3));
  assert.deepEqual([trimmed.buffer, trimmed.byteOffset], [nulls.buffer, nulls.byteOffset]);
  assert.equal(stripper.push(trimmed), trimmed);
  const usage = stripper.trim(Buffer.from('data: {"choices":[],"usage":{"a":2}}\n\n'));
  const told = String(usage);
  assert.equal(stripper.push(usage).length, 0);
  assert.equal(String(usage), told, "it is looked at once more when the stream has ended");
});

const ESCAPED = String.raw`"us\u0061ge"`;
const VALUES = ['"usage"', '"data: {\\"usage\\":null}\\n\\n"', "null", "[]", "7", '{"usage":null}'];
const space = fc.constantFrom("", "", " ", "\t ");

/** Members in any order; at most one of them is the usage, however its key is spelt. */
const members = fc
  .tuple(
    fc.uniqueArray(
      fc.tuple(
        fc.constantFrom<string[]>('"id"', '"usages"', '"data:"', '"choices"'),
        fc.constantFrom(...VALUES),
      ),
      { maxLength: 4, selector: ([name]) => name },
    ),
    fc.constantFrom(undefined, ['"usage"', "null"], ['"usage"', '{"a":1}'], [ESCAPED, "null"]),
    fc.nat(),
  )
  .map(([others, usage, at]) =>
    usage === undefined ? others : others.toSpliced(at % (others.length + 1), 0, [...usage]),
  );

/** An event of such members, and what is left of it for a caller who did not ask for usage. */
const chunks = fc
  .tuple(members, fc.array(space, { minLength: 4 }), fc.constantFrom("\n", "\r\n"))
  .map(([all, spaces, lineEnd]) => {
    let gaps = 0;
    const gap = (): string => spaces[gaps++ % spaces.length] ?? "";
    const texts = all.map(([name, value]) => `${gap()}${name}${gap()}:${gap()}${value}${gap()}`);
    const usage = all.find(([name]) => name === '"usage"');
    const choices = all.find(([name]) => name === '"choices"')?.[1] ?? "null";
    const isUsageOnly = usage?.[1] === '{"a":1}' && ["null", "[]"].includes(choices);
    const left = all.filter((each) => each !== usage).map(([name, value]) => `${name}:${value}`);
    const event = `data:${gap()}{${texts.join(",")}}${lineEnd}${lineEnd}`;
    if (isUsageOnly) return { event, left: undefined };
    return { event, left: usage?.[1] === "null" ? `{${left.join(",")}}` : event };
  });

const others = fc
  .constantFrom(": usage\n\n", "data: [DONE]\n\n", 'event: usage\ndata: {"usages":null}\n\n')
  .map((event) => ({ event, left: event }));

test("a caller who did not ask for usage gets all else, however the stream is written and cut", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.oneof({ weight: 3, arbitrary: chunks }, others), fc.boolean())),
      (stream) => {
        let alone = "";
        let cut = "";
        let read = "";
        for (const [{ event, left }, isLastOfRead] of stream) {
          const got = strip(event);
          if (left === undefined) assert.equal(got, "", event);
          else if (left !== event) {
            const data = JSON.parse(got.slice("data:".length)) as unknown;
            assert.deepEqual(data, JSON.parse(left), event);
            assert.ok(isOneCut(event, got), got);
          } else assert.equal(got, left);
          alone += got;
          read += event;
          if (!isLastOfRead) continue;
          cut += strip(read);
          read = "";
        }
        assert.equal(cut + strip(read), alone);
      },
    ),
    { numRuns: 500 },
  );
});

/** One piece is missing, and nothing else has changed. */
function isOneCut(text: string, left: string): boolean {
  let same = 0;
  while (same < left.length && text[same] === left[same]) same++;
  return text.endsWith(left.slice(same));
}
