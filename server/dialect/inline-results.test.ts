import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { InlineResults } from "./inline-results.js";
import { ResultLines } from "./result-lines.js";

/** Cuts a text into pieces at these places. */
function pieces(text: string, cuts: readonly number[]): readonly Buffer[] {
  const bytes = Buffer.from(text);
  const places = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].toSorted(
    (a, b) => a - b,
  );
  const ends = [...places, bytes.length];
  return ends.map((end, at) => bytes.subarray(ends[at - 1] ?? 0, end));
}

function inlineOf(text: string, cuts: readonly number[], bytesMax = 1 << 20) {
  const results: (string | undefined)[] = [];
  const inline = new InlineResults(bytesMax, (each) => results.push(each?.toString()));
  for (const piece of pieces(text, cuts)) inline.push(piece);
  return { results, rest: inline.rest?.toString() };
}

const cutting = fc.array(fc.nat(5000), { maxLength: 12 });
const object = fc.dictionary(fc.string(), fc.jsonValue());

test("results are taken out of a reply wherever it is cut, and what is left is the reply without them", () => {
  fc.assert(
    fc.property(
      fc.array(object),
      fc.jsonValue(),
      cutting,
      fc.constantFrom(0, 2),
      (list, other, cuts, indent) => {
        const reply = (all: readonly unknown[]) =>
          JSON.stringify(
            {
              name: "batches/b1",
              metadata: { other, output: { inlinedResponses: { inlinedResponses: all } } },
              done: true,
            },
            null,
            indent,
          );
        const { results, rest } = inlineOf(reply(list), cuts);
        assert.deepEqual(
          results.map((each) => JSON.parse(each ?? "null") as unknown),
          JSON.parse(JSON.stringify(list)),
        );
        assert.deepEqual(JSON.parse(rest ?? ""), JSON.parse(reply([])));
      },
    ),
  );
});

test("a list that is said twice is told once", () => {
  const output = { inlinedResponses: { inlinedResponses: [{ a: 1 }, { a: 2 }] } };
  const embeddings = { inlinedResponses: { inlinedEmbedContentResponses: [{ a: 3 }] } };
  const text = JSON.stringify({ metadata: { output }, done: true, response: output });
  assert.deepEqual(inlineOf(text, []).results, ['{"a":1}', '{"a":2}']);
  const empty = { inlinedResponses: { inlinedResponses: [] } };
  const later = JSON.stringify({ metadata: { output: empty }, response: embeddings });
  assert.deepEqual(inlineOf(later, []).results, ['{"a":3}']);
});

test("a result or a rest that is too large is told as such, and those beside it are read", () => {
  const long = "x".repeat(100);
  const text = JSON.stringify({ inlinedResponses: [{ a: 1 }, { long }, { a: 2 }] });
  const { results, rest } = inlineOf(text, [40, 60], 50);
  assert.deepEqual(results, ['{"a":1}', undefined, '{"a":2}']);
  assert.equal(rest, '{"inlinedResponses":[]}');
  assert.equal(inlineOf(JSON.stringify({ long }), [30], 50).rest, undefined);
});

test("lines are the same wherever they are cut, blank ones are none, and one that is too long is told as such", () => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ maxLength: 40 })),
      cutting,
      fc.boolean(),
      (texts, cuts, isEnded) => {
        const lines = texts.map((text) => JSON.stringify({ text }));
        const found: (string | undefined)[] = [];
        const split = new ResultLines(30, (line) => found.push(line?.toString()));
        for (const piece of pieces(lines.join("\n") + (isEnded ? "\r\n\n" : ""), cuts)) {
          split.push(piece);
        }
        split.end();
        assert.deepEqual(
          found.map((line) => line?.trimEnd()),
          lines.map((line) => (fits(line, line === lines.at(-1) && isEnded) ? line : undefined)),
        );
      },
    ),
  );
});

/** The last line has a carriage return in the test above. */
function fits(line: string, isReturned: boolean): boolean {
  return Buffer.byteLength(line) + (isReturned ? 1 : 0) <= 30;
}
