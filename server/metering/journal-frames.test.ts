import assert from "node:assert/strict";
import test from "node:test";
import * as fc from "fast-check";
import { sampleCall } from "../../test/metering/sample-calls.js";
import type { Attempt, CallRecord } from "../core/call.js";
import {
  decodeHeader,
  encodeHeader,
  FrameEncoder,
  PAYLOAD_BYTES_MAX,
  scanFrames,
  type JournalEntry,
} from "./journal-frames.js";

const { seed } = encodeHeader(7, 1_900_000_000_000);
const encoder = new FrameEncoder();

function frame(record: CallRecord, withSeed = seed): Buffer {
  encoder.clear();
  encoder.finish(record, withSeed);
  return Buffer.from(encoder.bytes.subarray(0, encoder.length));
}

function scan(
  bytes: Uint8Array,
  withSeed = seed,
  wanted: "finished" | "open" = "finished",
): { entries: JournalEntry[]; next: number } {
  const entries: JournalEntry[] = [];
  const visit = (entry: JournalEntry): boolean => entries.push(entry) > 0;
  return { entries, next: scanFrames({ bytes, seed: withSeed, wanted, visit }).next };
}

const word = fc.string({ maxLength: 40 });
const duration = fc.nat().map((micros) => micros / 1000);
const count = fc.maxSafeNat();
const attempt: fc.Arbitrary<Attempt> = fc.record({
  providerKeyId: word,
  providerId: word,
  startedMs: duration,
  durationMs: duration,
  httpStatus: fc.option(fc.nat(599)),
  outcome: fc.constantFrom("OK", "RATE_LIMITED", "CUT"),
  detail: word,
});
/** Every field is another in each, so that none can stand for another. */
const records: fc.Arbitrary<CallRecord> = fc.record({
  id: word,
  startedAt: count,
  clientKeyId: word,
  clientKeyKind: fc.constantFrom("STANDARD", "SUPER", "BYOR"),
  ownerId: word,
  providerKeyId: fc.option(word),
  providerId: fc.option(word),
  modelAsked: fc.string({ unit: "binary", maxLength: 300 }),
  modelServed: fc.option(word),
  endpoint: word,
  dialect: fc.constantFrom("OPENAI", "ANTHROPIC", "GEMINI"),
  streamed: fc.boolean(),
  status: fc.constantFrom("SUCCESS", "ERROR"),
  httpStatus: fc.nat(599),
  errorCode: fc.option(word),
  errorMessage: fc.option(fc.string({ unit: "binary", maxLength: 500 })),
  latencyMs: duration,
  ttfbMs: fc.option(duration),
  requestBytes: count,
  responseBytes: count,
  tokens: fc.record({
    input: count,
    output: count,
    cacheRead: count,
    cacheWrite: count,
    reasoning: count,
  }),
  costMicros: fc.option(count),
  usageSource: fc.constantFrom("PROVIDER", "ESTIMATED"),
  ip: word,
  attempts: fc.array(attempt, { maxLength: 3 }),
});

test("whatever a record holds, it is read back as it was written", () => {
  fc.assert(
    fc.property(fc.array(records, { maxLength: 5 }), (list) => {
      const { entries, next } = scan(Buffer.concat(list.map((record) => frame(record))));
      const plain = JSON.parse(JSON.stringify(list)) as CallRecord[];
      assert.deepEqual(
        entries.map((entry) => entry.kind === "finish" && entry.record),
        plain,
      );
      assert.equal(
        next,
        list.reduce((sum, record) => sum + frame(record).length, 0),
      );
    }),
    { numRuns: 100 },
  );
});

test("whatever an id holds, it is found without the rest of its record", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 40 }), (id) => {
      const { entries } = scan(frame(sampleCall(1, { id })), seed, "open");
      assert.deepEqual(entries, [{ kind: "end", id: Buffer.from(id).toString() }]);
    }),
  );
});

test("no single flipped bit passes for a record", () => {
  const good = frame(sampleCall(1));
  const all = Buffer.concat([good, frame(sampleCall(2))]);
  for (let bit = 0; bit < good.length * 8; bit++) {
    const bad = Buffer.from(all);
    bad[bit >> 3] = bad[bit >> 3]! ^ (1 << (bit & 7));
    assert.equal(scan(bad).entries.length, 0, `bit ${bit}`);
  }
});

test("a cut at any byte keeps exactly the whole frames before it", () => {
  const frames = [1, 2, 3].map((number) => frame(sampleCall(number)));
  const all = Buffer.concat(frames);
  const ends = frames.map((_, i) => Buffer.concat(frames.slice(0, i + 1)).length);
  for (let cut = 0; cut <= all.length; cut++) {
    const whole = ends.filter((end) => end <= cut).length;
    const { entries, next } = scan(all.subarray(0, cut));
    assert.equal(entries.length, whole);
    assert.equal(next, whole === 0 ? 0 : ends[whole - 1]);
  }
});

test("a tail of zeros is not taken for frames", () => {
  const good = frame(sampleCall(1));
  const { entries, next } = scan(Buffer.concat([good, Buffer.alloc(4096)]));
  assert.equal(entries.length, 1);
  assert.equal(next, good.length);
});

test("a frame of another file is not taken for one of this file", () => {
  const other = encodeHeader(8, 1_900_000_000_000).seed;
  assert.equal(scan(frame(sampleCall(1), other)).entries.length, 0);
});

test("a header tells number and age, and any damage to it is seen", () => {
  const { bytes } = encodeHeader(42, 1_900_000_000_123);
  const header = decodeHeader(bytes);
  assert.ok(typeof header === "object");
  assert.deepEqual([header.number, header.createdMs], [42, 1_900_000_000_123]);
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const bad = Buffer.from(bytes);
    bad[bit >> 3] = bad[bit >> 3]! ^ (1 << (bit & 7));
    assert.equal(decodeHeader(bad), "bad");
  }
  assert.equal(decodeHeader(bytes.subarray(0, 23)), "bad");
});

test("an absurdly large record is cut, not lost", () => {
  const detail = "x".repeat(100_000);
  const attempt = { ...sampleCall(1).attempts[0]!, detail };
  const record = sampleCall(1, {
    modelAsked: "\u{1f600}".repeat(500_000),
    attempts: Array.from({ length: 100 }, () => attempt),
  });
  const bytes = frame(record);
  assert.ok(bytes.length <= PAYLOAD_BYTES_MAX);
  const [entry] = scan(bytes).entries;
  assert.ok(entry?.kind === "finish");
  assert.equal(entry.record.id, record.id);
  assert.deepEqual(entry.record.tokens, record.tokens);
  assert.equal(entry.record.modelAsked.length, 500);
  assert.equal(entry.record.attempts.length, 40);
});

test("whatever characters an absurdly large record is made of, it fits a frame", () => {
  for (const character of ["\u0001", "\\", "\u{10ffff}", "豆"]) {
    const text = character.repeat(700);
    const attempt = { ...sampleCall(1).attempts[0]!, providerKeyId: text, detail: text };
    const part = { modelAsked: text, modelServed: text, errorMessage: text, endpoint: text };
    const attempts = Array.from({ length: 60 }, () => ({ ...attempt, providerId: text }));
    const bytes = frame(sampleCall(1, { ...part, attempts }));
    assert.ok(bytes.length <= PAYLOAD_BYTES_MAX, `${bytes.length}`);
    const [entry] = scan(bytes).entries;
    assert.ok(entry?.kind === "finish" && entry.record.id === sampleCall(1).id);
    assert.equal(entry.record.attempts.length, 40);
  }
});
