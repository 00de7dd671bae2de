import assert from "node:assert/strict";
import { test } from "node:test";
import { isUnfinished } from "./response-status.js";

test("a response is under way only where it says so itself", () => {
  const isOn = ["queued", "in_progress", "completed", "", "x"].map((status) =>
    isUnfinished(Buffer.from(JSON.stringify({ id: "r", status }))),
  );
  assert.deepEqual(isOn, [true, true, false, false, false]);
  for (const text of ["{}", "{", "", "[]"])
    assert.equal(isUnfinished(Buffer.from(text)), false, text);
});
