import assert from "node:assert/strict";
import test from "node:test";
import type { Holder } from "../core/client-key.js";
import type { JsonObject } from "../dialect/translate/json.js";
import {
  type ItemMemory,
  itemsOfKept,
  keptItem,
  type KeptItem,
} from "../dialect/translate/kept-response.js";
import { ResponseStore } from "./response-store.js";

const message = (text: string): JsonObject => ({ role: "user", content: text });
const said = (text: string): Buffer => Buffer.from(JSON.stringify([message(text)]));
const NOTHING_SAID = Buffer.from("[]");
const item = (id: string, text = ""): KeptItem => keptItem({ id, type: "message", text });

function conversation(memory: ItemMemory, id: string): JsonObject[] {
  return itemsOfKept(memory.conversation(id) ?? []);
}

const holder = (id: string, ownerId = "usr"): Holder => ({ ownerId, clientKey: { id } });

test("a conversation is found through all its responses, and only by the key that had it", () => {
  const store = new ResponseStore(10_000);
  const memory = store.of(holder("ck_1"));
  memory.keep({ id: "r1", previousId: undefined, input: said("a"), output: [item("i1")] });
  memory.keep({ id: "r2", previousId: "r1", input: said("b"), output: [item("i2")] });
  const items = ["i1", "i2"].map((id) => ({ id, type: "message", text: "" }));
  const all = [message("a"), items[0], message("b"), items[1]];
  assert.deepEqual(conversation(memory, "r2"), all);
  assert.deepEqual(memory.item("i1"), item("i1").text);
  assert.equal(store.of(holder("ck_2")).conversation("r1"), undefined);
  assert.equal(store.of(holder("ck_2")).item("i1"), undefined);
});

test("memory stays bounded: what was not named for the longest goes, with its items", () => {
  const store = new ResponseStore(10_000);
  const memory = store.of(holder("ck_1"));
  for (let i = 0; i < 50; i++) {
    const input = said("x".repeat(100));
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
  const memory = new ResponseStore(10_000).of(holder("ck_1"));
  memory.keep({ id: "r2", previousId: "r1", input: NOTHING_SAID, output: [] });
  assert.equal(memory.conversation("r2"), undefined);
  memory.keep({ id: "r1", previousId: "r2", input: NOTHING_SAID, output: [] });
  assert.equal(memory.conversation("r2"), undefined);
});

test("a user who keeps many responses, under many keys, pushes out their own and nobody else's", () => {
  const store = new ResponseStore(20_000);
  const quiet = store.of(holder("ck_quiet", "usr_quiet"));
  const response = { id: "r", previousId: undefined, input: said("x".repeat(100)) };
  quiet.keep({ ...response, output: [item("i")] });
  for (let key = 0; key < 200; key++) {
    store.of(holder(`ck_${String(key)}`, "usr_many")).keep({ ...response, output: [item("i")] });
  }
  assert.ok(quiet.conversation("r") !== undefined);
  assert.ok(quiet.item("i") !== undefined);
  assert.equal(store.of(holder("ck_0", "usr_many")).item("i"), undefined);
  assert.ok(store.of(holder("ck_199", "usr_many")).item("i") !== undefined);
});

test("a response that is kept again under its id has the items that it has now", () => {
  const memory = new ResponseStore(10_000).of(holder("ck_1"));
  const response = { id: "r", previousId: undefined, input: NOTHING_SAID };
  memory.keep({ ...response, output: [item("i1"), item("i2")] });
  memory.keep({ ...response, output: [item("i2"), item("i3")] });
  const found = ["i1", "i2", "i3"].map((id) => memory.item(id) !== undefined);
  assert.deepEqual(found, [false, true, true]);
});

test("what a response answered weighs as what it was asked, and one that is too large pushes out nothing", () => {
  const memory = new ResponseStore(6_000).of(holder("ck_1"));
  const keep = (id: string, chars: number): void => {
    const output = [item(`item-${id}`, "x".repeat(chars))];
    memory.keep({ id, previousId: undefined, input: NOTHING_SAID, output });
  };
  const isKept = (id: string): boolean => memory.conversation(id) !== undefined;
  keep("r1", 400);
  keep("r2", 5_000);
  assert.deepEqual(["r1", "r2"].map(isKept), [true, false]);
  for (const id of ["r3", "r4"]) keep(id, 400);
  assert.deepEqual(["r1", "r3", "r4"].map(isKept), [false, true, true]);
});

test("responses that say next to nothing weigh what they take", () => {
  const memory = new ResponseStore(64 * 1024).of(holder("ck_1"));
  const count = (prefix: string, output: (at: number) => readonly KeptItem[]): number => {
    const ids = Array.from({ length: 1000 }, (_, at) => `${prefix}${String(at)}`);
    for (const [at, id] of ids.entries()) {
      memory.keep({ id, previousId: undefined, input: NOTHING_SAID, output: output(at) });
    }
    return ids.filter((id) => memory.conversation(id) !== undefined).length;
  };
  assert.equal(
    count("r", () => []),
    63,
  );
  assert.equal(
    count("s", (at) => [item(`i${String(at)}`)]),
    31,
  );
});
