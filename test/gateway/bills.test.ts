import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import fc from "fast-check";
import type { Dialect, Price } from "../../server/core/provider.js";
import { costOf } from "../../server/metering/cost.js";
import {
  type Bill,
  billed,
  type BilledForm,
  type BillWay,
  costOfBill,
  formOf,
  known,
  streamPieces,
  wholeReply,
} from "../support/provider-bill.js";
import {
  replyEvents,
  replyJson,
  startUpstreamStub,
  type UpstreamStub,
} from "../support/upstream-stub.js";
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

const PATHS = [
  "/v1/chat/completions",
  "/v1/responses",
  "/v1/messages",
  "/v1beta/models/m:generateContent",
] as const;

const some = fc.oneof(fc.constant(0), fc.nat(3000));
const bills: fc.Arbitrary<Bill> = fc.record({
  fresh: fc.integer({ min: 1, max: 5000 }),
  read: some,
  written: some,
  writtenLong: some,
  said: fc.integer({ min: 1, max: 2000 }),
  thought: some,
  audioIn: some,
  audioRead: some,
  audioOut: some,
  imageIn: some,
  imageOut: some,
  tier: fc.constantFrom("ORDINARY", "FLEX", "PRIORITY", "FAST"),
  searches: fc.oneof(fc.constant(0), fc.nat(5)),
  compactedIn: some,
  compactedOut: some,
});
const ways: fc.Arbitrary<BillWay> = fc.record({
  tierAt: fc.constantFrom("NOWHERE", "FIRST", "BEFORE", "BEHIND"),
  decoy: fc.constantFrom("default", "flex", "priority", "scale"),
  end: fc.constantFrom("OUTPUT", "ALL", "NULLS"),
  tellsBefore: fc.boolean(),
  hidesThoughts: fc.boolean(),
  pieces: fc.integer({ min: 1, max: 12 }),
});
const calls = fc.record({
  dialect: fc.constantFrom<Dialect>("OPENAI", "ANTHROPIC", "GEMINI"),
  path: fc.constantFrom(...PATHS),
  streamed: fc.boolean(),
  asked: fc.boolean(),
  bill: bills,
  way: ways,
});

type Call = typeof calls extends fc.Arbitrary<infer T> ? T : never;

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
  for (const call of fc.sample(calls, { numRuns: CALLS, seed: 20 })) {
    const { dialect, path, streamed, asked, way } = call;
    const bill = told(call);
    const gateway = gateways[dialect];
    const before = gateway.sink.records.length;
    let form: BilledForm = "CHAT";
    stub.script = async (received, res) => {
      form = formOf(received.url);
      const script = streamed
        ? replyEvents(streamPieces(form, bill, way))
        : replyJson(200, wholeReply(form, bill, way));
      await script(received, res);
    };
    const response = await gateway.post(
      streamed ? path.replace(":generateContent", ":streamGenerateContent?alt=sse") : path,
      { ...requestOf(path, streamed), ...(asked ? ASKING[path] : {}) },
    );
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

/** A tier that is not told has nothing to be found in; one before all else is looked for only where it was asked for. */
function told({ dialect, path, streamed, asked, bill, way }: Call): Bill {
  const isChat = dialect === "OPENAI" && path !== "/v1/responses";
  if (!isChat || way.tierAt === "BEFORE" || way.tierAt === "BEHIND") return bill;
  const isFound = way.tierAt === "FIRST" && (streamed || (asked && path.endsWith("completions")));
  return isFound ? bill : { ...bill, tier: "ORDINARY" };
}

/** How a request asks for a tier. */
const ASKING = {
  "/v1/chat/completions": { service_tier: "priority" },
  "/v1/responses": { service_tier: "flex" },
  "/v1/messages": { speed: "fast" },
  "/v1beta/models/m:generateContent": { serviceTier: "priority" },
};

function requestOf(path: (typeof PATHS)[number], stream: boolean): object {
  const messages = [{ role: "user", content: "hi" }];
  switch (path) {
    case "/v1/responses":
      return { model: "m", input: "hi", store: false, stream };
    case "/v1/messages":
      return { model: "m", messages, max_tokens: 9, stream };
    case "/v1beta/models/m:generateContent":
      return { contents: [{ role: "user", parts: [{ text: "hi" }] }] };
    default:
      return { model: "m", messages, stream };
  }
}
