import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import fc from "fast-check";
import type { Dialect, Price } from "../../server/core/provider.js";
import { costOf } from "../../server/metering/cost.js";
import { billedCalls, pathOf, replyTo, requestOf, told } from "../support/billed-calls.js";
import { billed, type BilledForm, costOfBill, formOf, known } from "../support/provider-bill.js";
import { startUpstreamStub, type UpstreamStub } from "../support/upstream-stub.js";
import { startDialects, type TestGateway } from "./fixture.js";

/** More for a thorough run. */
const CALLS = Number(process.env["LATCHKEY_CALLS"] ?? 150);

const PRICE: Price = {
  effectiveFrom: 0,
  input: 1_234_567,
  output: 7_654_321,
  cacheRead: 123_457,
  cacheWrite: 1_543_211,
  cacheWriteLong: 2_469_137,
  audioInput: 40_000_003,
  audioOutput: 80_000_023,
  audioCacheRead: 2_500_009,
  webSearches: 10_000_019,
  imageInput: 9_000_011,
  imageOutput: 30_000_001,
  longContextFrom: 7000,
  longContextInput: 2_469_131,
  longContextOutput: 11_481_481,
  longContextCacheRead: 246_913,
  longContextCacheWrite: 3_086_413,
  longContextCacheWriteLong: 4_938_269,
  serviceTiers: [
    { tier: "priority", percent: 166.66667 },
    { tier: "fast", percent: 600 },
    { tier: "flex", percent: 50 },
  ],
};

let stub: UpstreamStub;
let gateways: Readonly<Record<Dialect, TestGateway>>;

before(async () => {
  stub = await startUpstreamStub();
  gateways = await startDialects(stub.origin, { secrets: ["sk-one-000000000000000000000"] });
});

after(async () => {
  for (const gateway of Object.values(gateways)) await gateway.close();
  await stub.close();
});

test(`${CALLS} calls, whole and streamed, as they are and translated: tokens and cost are those of the provider's bill`, async () => {
  for (const call of fc.sample(billedCalls, { numRuns: CALLS, seed: 20 })) {
    const bill = told(call);
    const gateway = gateways[call.dialect];
    const before = gateway.sink.records.length;
    let form: BilledForm = "CHAT";
    stub.script = async (received, res) => {
      form = formOf(received.url);
      await replyTo(call, form, bill)(received, res);
    };
    const response = await gateway.post(pathOf(call, "m"), requestOf(call, "m"));
    const text = await response.text();
    const record = await gateway.sink.record(before + 1);
    const shown = `${JSON.stringify(call)} ${form} ${text}`;
    assert.equal(record.status, "SUCCESS", shown);
    assert.equal(record.usageSource, "PROVIDER", shown);
    const { parts: _, ...tokens } = record.tokens;
    const due = known(form, bill);
    assert.deepEqual(tokens, billed(due), shown);
    assert.equal(costOf(PRICE, record.tokens), costOfBill(PRICE, due), shown);
  }
});
