import assert from "node:assert/strict";
import test from "node:test";
import type { JsonObject } from "../dialect/translate/json.js";
import { ResponseStore } from "./response-store.js";

const said = (text: string): JsonObject => ({ role: "user", content: text });
const item = (id: string): JsonObject => ({ id, type: "message" });

test("a conversation is found through all its responses, and only by the key that had it", () => {
  const store = new ResponseStore(10_000);
  const memory = store.of("ck_1");
  memory.keep({ id: "r1", previousId: undefined, input: [said("a")], output: [item("i1")] });
  memory.keep({ id: "r2", previousId: "r1", input: [said("b")], output: [item("i2")] });
  assert.deepEqual(memory.conversation("r2"), [said("a"), item("i1"), said("b"), item("i2")]);
  assert.deepEqual(memory.item("i1"), item("i1"));
  assert.equal(store.of("ck_2").conversation("r1"), undefined);
  assert.equal(store.of("ck_2").item("i1"), undefined);
});

test("memory stays bounded: what was not named for the longest goes, with its items", () => {
  const store = new ResponseStore(600);
  const memory = store.of("ck_1");
  for (let i = 0; i < 50; i++) {
    const input = [said("x".repeat(100))];
    memory.keep({
      id: `r${String(i)}`,
      previousId: undefined,
      input,
      output: [item(`i${String(i)}`)],
    });
    memory.conversation("r0");
  }
  assert.ok(memory.conversation("r0") !== undefined);
  assert.ok(memory.item("i49") !== undefined);
  assert.equal(memory.conversation("r10"), undefined);
  assert.equal(memory.item("i10"), undefined);
});

test("a conversation whose beginning is gone is not taken for whole", () => {
  const memory = new ResponseStore(10_000).of("ck_1");
  memory.keep({ id: "r2", previousId: "r1", input: [], output: [] });
  assert.equal(memory.conversation("r2"), undefined);
  memory.keep({ id: "r1", previousId: "r2", input: [], output: [] });
  assert.equal(memory.conversation("r2"), undefined);
});
