import assert from "node:assert/strict";
import { test } from "node:test";
import { aPrincipal } from "../../test/support/records.js";
import { NO_TOKENS } from "../core/call.js";
import type { LaterUsage } from "../core/later-usage.js";
import { isUnfinished, LaterUsages, restOf } from "./later-usage.js";

const ROOM = 6;

function later(ownerId: string, responseId: string, clientKeyId = `ck_${ownerId}`): LaterUsage {
  const target = { upstreamModel: "m", price: null };
  return { ownerId, clientKeyId, responseId, target, counted: NO_TOKENS };
}

test("whoever leaves many responses behind loses their own, and nobody else any", () => {
  const usages = new LaterUsages(ROOM);
  const quiet = aPrincipal("STANDARD", "usr_quiet");
  usages.note(later("usr_quiet", "resp_1"));
  for (let n = 0; n < 10 * ROOM; n++) {
    usages.note(later("usr_loud", `resp_${String(n)}`, `ck_${String(n % 7)}`));
  }
  assert.equal(usages.all.length, ROOM);
  assert.ok(usages.has(quiet, "resp_1"));
  assert.equal(usages.take(quiet, "resp_1")?.ownerId, "usr_quiet");
  assert.equal(usages.take(quiet, "resp_1"), undefined, "it counts once");
  assert.ok(!usages.has(aPrincipal("STANDARD", "usr_loud"), "resp_1"));
});

test("a response without an id is not waited for, and what says nothing of itself is done", () => {
  const usages = new LaterUsages(ROOM);
  usages.note(later("usr", ""));
  assert.equal(usages.all.length, 0);
  const isOn = ["queued", "in_progress", "completed", "", "x"].map((status) =>
    isUnfinished(Buffer.from(JSON.stringify({ id: "r", status }))),
  );
  assert.deepEqual(isOn, [true, true, false, false, false]);
  for (const text of ["{}", "{", "", "[]"])
    assert.equal(isUnfinished(Buffer.from(text)), false, text);
});

test("what was counted of a response and what is left make up all of it", () => {
  const told = { input: 9, output: 7, cacheRead: 4, cacheWrite: 3, reasoning: 2 };
  assert.deepEqual(restOf({ ...told, parts: { imageInput: 5 } }, NO_TOKENS), {
    ...told,
    parts: { imageInput: 5 },
  });
  const counted = { input: 1, output: 1, cacheRead: 1, cacheWrite: 1, reasoning: 1 };
  assert.deepEqual(restOf(told, counted), {
    input: 8,
    output: 6,
    cacheRead: 3,
    cacheWrite: 2,
    reasoning: 1,
  });
  assert.deepEqual(restOf(counted, told), NO_TOKENS, "an estimate may have been too much");
});

test("what is priced apart is left to be counted as far as it was not", () => {
  const told = { ...NO_TOKENS, input: 90, output: 70 };
  const parts = { imageInput: 50, audioOutput: 40, webSearches: 3, cacheWriteLong: 2 };
  const counted = {
    ...NO_TOKENS,
    input: 60,
    output: 70,
    parts: { imageInput: 20, webSearches: 3 },
  };
  assert.deepEqual(restOf({ ...told, parts }, counted), {
    ...NO_TOKENS,
    input: 30,
    parts: { imageInput: 30, audioOutput: 40, cacheWriteLong: 2 },
  });
  assert.deepEqual(restOf({ ...told, parts }, { ...told, parts }), NO_TOKENS);
  const searched = { ...NO_TOKENS, parts: { webSearches: 1 } };
  assert.deepEqual(restOf({ ...told, parts: { webSearches: 3 } }, searched), {
    ...told,
    parts: { webSearches: 2 },
  });
});
