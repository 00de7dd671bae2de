import assert from "node:assert/strict";
import { test } from "node:test";
import type { Batch } from "../../server/core/batch.js";
import { NO_TOKENS, NOTHING_RESERVED } from "../../server/core/call.js";
import type { FinishedCall, BatchNews } from "../../server/core/finished-call.js";
import { clientKey, opened, START_MS, user } from "./fixture.js";
import { AT, call } from "./ledger-fixture.js";

// What calls make known of batches, and of responses that go on after them, goes into the database with those calls.

const response: Batch = {
  scope: "usr_1",
  batchId: "resp_1",
  providerId: "prv_1",
  providerKeyId: "pk_1",
  ownerId: "usr_1",
  clientKeyId: "ck_1",
  clientKeyKind: "STANDARD",
  dialect: "OPENAI",
  path: "/v1/responses/resp_1",
  model: "m",
  reserved: NOTHING_RESERVED,
  madeAt: START_MS,
  later: { target: { upstreamModel: "m", price: null }, counted: NO_TOKENS },
};

const BEGUN: BatchNews = { kind: "GOES_ON", batch: response, lookAt: START_MS + 60_000 };
const TOLD: BatchNews = { kind: "TOLD", scope: "usr_1", batchId: "resp_1" };

const made = (n: number, news: BatchNews): FinishedCall => ({ ...call(n), news });

test("a response is open from the call that began it to the call that was told of it, however often these come", async (t) => {
  const { storage } = await opened(t);
  const { ledger, batches } = storage;
  const open = async (): Promise<readonly string[]> =>
    (await batches.open()).map(({ batchId }) => batchId);
  const begun = made(1, BEGUN);
  const told = made(2, TOLD);
  const bad = { ...made(3, BEGUN), httpStatus: Number.NaN };
  await assert.rejects(ledger.appendCalls([bad], AT));
  assert.deepEqual(await open(), [], "not without the call");
  assert.equal(await ledger.appendCalls([begun], AT), 1);
  assert.deepEqual([await open(), await batches.nextLookAt([])], [["resp_1"], START_MS + 60_000]);
  const both = ledger.newBatch();
  both.add(told);
  assert.equal(await both.append(AT), 1);
  assert.deepEqual(await open(), []);
  assert.equal(await ledger.appendCalls([begun, told, begun], AT), 0);
  assert.deepEqual(await open(), [], "a replay does not open it again");
});

test("the responses of a deleted client key are looked after all the same", async (t) => {
  const { storage } = await opened(t);
  await storage.keys.write(async (tx) => {
    await tx.users.insert(user("usr_1"));
    await tx.clientKeys.insert(clientKey("ck_1"));
  });
  await storage.keys.write((tx) => tx.clientKeys.delete("ck_1"));
  await storage.ledger.appendCalls([made(1, BEGUN)], AT);
  assert.equal((await storage.batches.open()).length, 1);
  await storage.ledger.appendCalls([made(2, TOLD)], AT);
  assert.equal((await storage.batches.open()).length, 0);
});
