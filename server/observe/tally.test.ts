import assert from "node:assert/strict";
import test from "node:test";
import { Tally } from "./tally.js";

test("events are counted by their labels", () => {
  const tally = new Tally(["action", "outcome"]);
  tally.add({ action: "client_key.create", outcome: "ok" });
  tally.add({ outcome: "ok", action: "client_key.create" });
  tally.add({ action: "client_key.create", outcome: "denied" });
  assert.deepEqual(tally.read(), [
    { labels: { action: "client_key.create", outcome: "ok" }, value: 2 },
    { labels: { action: "client_key.create", outcome: "denied" }, value: 1 },
  ]);
});

test("what is no closed list does not fill the memory", () => {
  const tally = new Tally(["id"]);
  for (let i = 0; i < 1000; i++) tally.add({ id: String(i) });
  tally.add({ id: "0" });
  assert.equal(tally.read().length, 500);
  assert.equal(tally.read()[0]?.value, 2);
});
