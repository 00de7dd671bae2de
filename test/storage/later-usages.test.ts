import assert from "node:assert/strict";
import { test } from "node:test";
import { NO_TOKENS } from "../../server/core/call.js";
import type { LaterUsage } from "../../server/core/later-usage.js";
import { opened } from "./fixture.js";

test("what is still to be counted is taken once, in its order", async (t) => {
  const { storage } = await opened(t);
  const { laterUsages } = storage;
  const left = ["resp_1", "resp_ä"].map((responseId): LaterUsage => ({
    ownerId: "usr_1",
    clientKeyId: "ck_1",
    responseId,
    target: { upstreamModel: "o3-pro", price: null },
    counted: { ...NO_TOKENS, output: 7 },
  }));
  assert.deepEqual(await laterUsages.takeAll(), []);
  await laterUsages.leave([]);
  await laterUsages.leave(left);
  assert.deepEqual(await laterUsages.takeAll(), left);
  assert.deepEqual(await laterUsages.takeAll(), []);
});
