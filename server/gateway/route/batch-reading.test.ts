import assert from "node:assert/strict";
import { test } from "node:test";
import { Fault } from "../../core/fault.js";
import { BatchReading } from "./batch-reading.js";
import { BATCHES } from "./named-models.js";

const STEP_BYTES = 2_000;
const MESSAGES = { batch: BATCHES.anthropic, dialect: "ANTHROPIC" } as const;

function bodyOf(requests: readonly object[], behind = ""): Buffer {
  const each = requests.map((params, at) => ({ custom_id: `c${String(at)}`, params }));
  return Buffer.from(`{"requests": ${JSON.stringify(each)}${behind}}`);
}

function many(count: number): object[] {
  return Array.from({ length: count }, (_each, at) => ({
    model: at % 3 === 0 ? "one" : "other",
    ...(at % 2 === 0 && { max_tokens: 10 }),
    messages: [{ role: "user", content: "x".repeat(at % 90) }],
    ...(at === count - 1 && { fallbacks: ["third"] }),
  }));
}

function readAll(body: Buffer, names: boolean, stepBytes: number): [BatchReading, number] {
  const reading = new BatchReading(body, MESSAGES, names, stepBytes);
  let steps = 1;
  while (!reading.read()) steps++;
  return [reading, steps];
}

test("a batch that is read in steps says what it says in one", () => {
  const body = bodyOf(many(1_000));
  const [whole] = readAll(body, true, Infinity);
  assert.deepEqual(whole.ofModels().get("one")?.requests, 334);
  assert.deepEqual([...whole.models()].toSorted(), ["one", "other", "third"]);
  for (const names of [true, false]) {
    const [reading, steps] = readAll(body, names, STEP_BYTES);
    assert.deepEqual(reading.ofModels(), whole.ofModels());
    assert.deepEqual([...reading.models()].toSorted(), ["one", "other", "third"]);
    assert.equal(reading.requests, 1_000);
    // Once for the list, once for what stands in it.
    assert.ok(steps > (2 * body.length) / (STEP_BYTES + 200), String(steps));
  }
});

test("a batch whose requests stand deeper is read in steps as well", () => {
  const asked = { contents: [], generationConfig: { maxOutputTokens: 5 } };
  const requests = Array.from({ length: 500 }, () => ({ request: asked }));
  const read = (input: object, stepBytes: number): [BatchReading, number] => {
    const body = Buffer.from(JSON.stringify({ batch: { displayName: "b", inputConfig: input } }));
    const form = { batch: BATCHES.gemini, dialect: "GEMINI" } as const;
    const reading = new BatchReading(body, form, false, stepBytes);
    let steps = 1;
    while (!reading.read()) steps++;
    return [reading, steps];
  };
  const [whole] = read({ requests: { requests } }, Infinity);
  const [reading, steps] = read({ requests: { requests } }, STEP_BYTES);
  assert.deepEqual(reading.ofModels(), whole.ofModels());
  assert.deepEqual(whole.ofModels().get("")?.bound, 2_500);
  // For each object around the list, and for the list.
  assert.ok(steps > (5 * JSON.stringify(requests).length) / (STEP_BYTES + 200), String(steps));
  for (const input of [{ requests }, { requests: 7 }, { fileName: "files/x" }]) {
    const [refused] = read(input, STEP_BYTES);
    assert.throws(() => refused.ofModels());
    assert.equal(refused.requests, undefined);
  }
});

test("no step of a batch reads more requests than its bytes hold", () => {
  const body = bodyOf(many(3_000));
  const reading = new BatchReading(body, MESSAGES, true, STEP_BYTES);
  let before = 0;
  let most = 0;
  while (!reading.read()) {
    const { requests = 0 } = reading;
    most = Math.max(most, requests - before);
    before = requests;
  }
  assert.ok(most > 0 && most < STEP_BYTES / 50, String(most));
});

test("a batch that cannot be read says so to whoever asks, in steps as well", () => {
  const isMalformed = (thrown: unknown): boolean =>
    thrown instanceof Fault && thrown.code === "malformed_request";
  for (const stepBytes of [STEP_BYTES, Infinity]) {
    const [broken] = readAll(bodyOf(many(500), ',"x":'), true, stepBytes);
    assert.throws(() => broken.ofModels(), isMalformed);
    assert.throws(() => broken.models(), isMalformed);
    assert.equal(broken.requests, undefined);
    const [nameless] = readAll(bodyOf([...many(500), { model: null }]), true, stepBytes);
    assert.throws(() => nameless.models(), isMalformed);
    assert.equal(nameless.ofModels().get("")?.requests, 1, "the estimate needs no name");
  }
});
