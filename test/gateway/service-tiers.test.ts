import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { CallRecord, Estimate } from "../../server/core/call.js";
import type { Dialect, Price } from "../../server/core/provider.js";
import { costOf } from "../../server/metering/cost.js";
import {
  CHAT_REPLY,
  replyCut,
  replyEvents,
  replyJson,
  RESPONSE,
  startUpstreamStub,
  type UpstreamStub,
} from "../support/upstream-stub.js";
import { startDialects, type TestGateway } from "./fixture.js";

// What is set aside for calls in a service tier, and counted where a provider's word of it is not whole. That what is told
// costs what it should is shown by `bills.test.ts`.

const CHAT = "/v1/chat/completions";
const RESPONSES = "/v1/responses";
const MESSAGES = "/v1/messages";
const GENERATE = "/v1beta/models/m:generateContent";

/** A token in or out is a micro-dollar. */
const PRICE: Partial<Price> = {
  input: 1_000_000,
  output: 1_000_000,
  serviceTiers: [
    { tier: "flex", percent: 50 },
    { tier: "fast", percent: 600 },
  ],
};
const IMAGES = { input: 10_000_000, output: 40_000_000 };
const FREE = { effectiveFrom: 0, cacheRead: null, cacheWrite: null, longContextFrom: null };

let stub: UpstreamStub;
let gateways: Readonly<Record<Dialect, TestGateway>>;

before(async () => {
  stub = await startUpstreamStub();
  gateways = await startDialects(stub.origin);
  for (const { router, sink } of Object.values(gateways)) {
    router.price = PRICE;
    sink.cost = (target, tokens) => {
      const { imageTool } = tokens.parts ?? {};
      const images = { ...FREE, ...IMAGES } as Price;
      const ofTool = imageTool === undefined ? 0 : (costOf(images, imageTool.tokens) ?? 0);
      if (imageTool?.models.includes("unpriced") === true) return null as never;
      return (costOf(target.price ?? null, tokens) ?? 0) + ofTool;
    };
  }
});

after(async () => {
  for (const gateway of Object.values(gateways)) await gateway.close();
  await stub.close();
});

interface Asked {
  readonly dialect?: Dialect;
  readonly path: string;
  /** Members of its body. */
  readonly members: string;
}

async function call({ dialect = "OPENAI", path, members }: Asked): Promise<{
  readonly estimate: Estimate;
  readonly record: CallRecord;
}> {
  const gateway = gateways[dialect];
  const before = gateway.sink.records.length;
  await (await gateway.post(path, `{"model":"m",${members}}`)).text().catch(() => "");
  const record = await gateway.sink.record(before + 1);
  const estimate = gateway.limiter.estimates.at(-1);
  assert.ok(estimate !== undefined);
  return { estimate, record };
}

/** How many times the tokens that are set aside for a call its money is. */
async function times(asked: Asked): Promise<number> {
  const { estimate } = await call(asked);
  return estimate.costMicros / (estimate.inputTokens + estimate.maxOutputTokens);
}

test("a call reserves what the tier costs that it asks for, and no less than without one", async () => {
  stub.script = replyJson(200, CHAT_REPLY);
  const chat = (tier: string): Asked => ({
    path: CHAT,
    members: `"service_tier":${tier},"messages":[]`,
  });
  assert.equal(await times(chat('"fast"')), 6);
  assert.equal(await times(chat('"FAST"')), 6);
  assert.equal(await times(chat('"priority"')), 2, "nobody said what it costs");
  for (const tier of ['"flex"', '"auto"', '"default"', '"scale"', "null", "7", "{}"]) {
    assert.equal(await times(chat(tier)), 1, tier);
  }
  assert.equal(await times({ path: RESPONSES, members: '"service_tier":"fast","input":"x"' }), 6);
  const message = (more: string): Asked => {
    return {
      dialect: "ANTHROPIC",
      path: MESSAGES,
      members: `${more},"max_tokens":9,"messages":[]`,
    };
  };
  assert.equal(await times(message('"speed":"fast"')), 6);
  assert.equal(await times(message('"speed":"standard"')), 1);
  assert.equal(await times(message('"fallbacks":[{"model":"m","speed":"fast"}]')), 6);
  assert.equal(await times(message('"fallbacks":[{"model":"m","speed":"standard"}]')), 1);
  assert.equal(await times(message('"service_tier":"auto"')), 1, "of what was paid for before");
  for (const name of ["serviceTier", "service_tier"]) {
    const asked = { dialect: "GEMINI", path: GENERATE } as const;
    const contents = '"contents":[{"parts":[{"text":"x"}]}]';
    assert.equal(await times({ ...asked, members: `${contents},"${name}":"priority"` }), 2);
    const members = `${contents},"${name}":"SERVICE_TIER_PRIORITY","generationConfig":{}`;
    assert.equal(await times({ ...asked, members }), 2);
  }
});

test("a tier that can be read in two ways is refused", async () => {
  const body = '{"contents":[],"serviceTier":"standard","service_tier":"priority"}';
  assert.equal((await gateways.GEMINI.post(GENERATE, body)).status, 400);
  const twice = '{"model":"m","messages":[],"service_tier":"auto","service_tier":"fast"}';
  assert.equal((await gateways.OPENAI.post(CHAT, twice)).status, 400);
});

test("a tier that translation leaves out reserves nothing more", async () => {
  for (const dialect of ["ANTHROPIC", "GEMINI"] as const) {
    const members = '"service_tier":"fast","messages":[{"role":"user","content":"x"}]';
    assert.equal(await times({ dialect, path: CHAT, members }), 1);
  }
  const members = '"speed":"fast","max_tokens":9,"messages":[{"role":"user","content":"x"}]';
  assert.equal(await times({ path: MESSAGES, members }), 1);
});

test("of a stream that broke off, what is estimated is in the tier that was asked for", async () => {
  const chunk = '{"id":"c","choices":[{"index":0,"delta":{"content":"12345678"}}]}';
  stub.script = replyCut([`data: ${chunk}\n\n`]);
  const members = '"stream":true,"messages":[{"role":"user","content":"x"}]';
  for (const [more, factor] of [
    ["", 1],
    ['"service_tier":"fast",', 6],
  ] as const) {
    const { record } = await call({ path: CHAT, members: more + members });
    const { tokens, usageSource } = record;
    assert.equal(usageSource, "PARTIAL");
    assert.equal(record.costMicros, factor * (tokens.input + tokens.output));
  }
});

test("a response is in the tier that was asked for where its last event is too long to be kept", async () => {
  const usage = { input_tokens: 1000, output_tokens: 2000, total_tokens: 3000 };
  const response = { ...RESPONSE, service_tier: "priority", tools: ["x".repeat(300_000)], usage };
  const event = JSON.stringify({ type: "response.completed", response });
  stub.script = replyEvents([`event: response.completed\ndata: ${event}\n\n`]);
  const asked = '"stream":true,"input":"x","service_tier":"priority"';
  const { record } = await call({ path: RESPONSES, members: asked });
  assert.equal(record.costMicros, 6000);
});

test("a response is in the tier that its provider tells however deep the tools are that it repeats", async () => {
  const usage = { input_tokens: 1000, output_tokens: 2000, total_tokens: 3000 };
  let parameters: object = { service_tier: "flex" };
  for (let depth = 0; depth < 60; depth++) parameters = { properties: parameters };
  const tools = [{ type: "function", name: "f", parameters }];
  const response = { ...RESPONSE, service_tier: "fast", tools, usage };
  const members = `"input":"x","tools":${JSON.stringify(tools)}`;
  stub.script = replyJson(200, JSON.stringify(response));
  assert.equal((await call({ path: RESPONSES, members })).record.costMicros, 18_000);
  const event = JSON.stringify({ type: "response.completed", response });
  stub.script = replyEvents([`event: response.completed\ndata: ${event}\n\n`]);
  const streamed = await call({ path: RESPONSES, members: `"stream":true,${members}` });
  assert.equal(streamed.record.costMicros, 18_000);
});

test("a response that is made in the background costs what its tier does", async () => {
  const usage = { input_tokens: 1000, output_tokens: 2000, total_tokens: 3000 };
  const gateway = gateways.OPENAI;
  stub.script = replyJson(200, '{"id":"resp_bg","status":"queued","output":[],"usage":null}');
  await call({ path: RESPONSES, members: '"background":true,"input":"x"' });
  const done = { ...RESPONSE, id: "resp_bg", service_tier: "flex", usage };
  stub.script = replyJson(200, JSON.stringify(done));
  const before = gateway.sink.records.length;
  await (await gateway.fetch(`${RESPONSES}/resp_bg`)).text();
  assert.equal((await gateway.sink.record(before + 1)).costMicros, 1500);
});

test("more tools than anybody takes are refused where one makes images, wherever it stands", async () => {
  stub.script = replyJson(200, JSON.stringify(RESPONSE));
  const tool = { type: "function", name: "f" };
  const ask = async (count: number): Promise<number> => {
    const tools = [...Array.from({ length: count }, () => tool), { type: "image_generation" }];
    const reply = await gateways.OPENAI.post(RESPONSES, { model: "m", input: "x", tools });
    await reply.text();
    return reply.status;
  };
  assert.equal(await ask(999), 200);
  assert.equal(await ask(1000), 400);
});

test("a response reserves an image for each tool that makes them, as it asks for them", async () => {
  stub.script = replyJson(200, JSON.stringify(RESPONSE));
  const withTools = (tools: string): Asked => ({
    path: RESPONSES,
    members: `"input":"x","tools":${tools}`,
  });
  const images = async (tools: string): Promise<number> => {
    const { estimate } = await call(withTools(tools));
    return estimate.costMicros - estimate.inputTokens - estimate.maxOutputTokens;
  };
  const input = 7000 * 10;
  assert.equal(await images('[{"type":"function","name":"image_generation"}]'), 0);
  assert.equal(await images('[{"type":"image_generation"}]'), input + 7040 * 40);
  const low = '{"type":"image_generation","quality":"low","size":"1024x1024"}';
  assert.equal(await images(`[${low}]`), input + 272 * 40);
  assert.equal(await images(`[${low},{"type":"web_search"}]`), input + 272 * 40);
  const drafts =
    '{"type":"image_generation","quality":"low","size":"1024x1024","partial_images":3}';
  assert.equal(await images(`[${low},${drafts}]`), 2 * input + (272 + 272 + 300) * 40);
  const unpriced = '"tools":[{"type":"image_generation","model":"unpriced"}]';
  const members = `"input":"x","service_tier":"fast",${unpriced}`;
  assert.equal(await times({ path: RESPONSES, members }), 6, "without the images");
  for (const dialect of ["ANTHROPIC", "GEMINI"] as const) {
    const { estimate } = await call({ dialect, ...withTools('[{"type":"image_generation"}]') });
    const { inputTokens, maxOutputTokens, costMicros } = estimate;
    assert.equal(costMicros, inputTokens + maxOutputTokens, "none can be made there");
  }
});

test("a model that makes sound or images reserves its output as what is dearest of it", async () => {
  stub.script = replyJson(200, CHAT_REPLY);
  const asked: Asked = { path: CHAT, members: '"messages":[],"max_tokens":100' };
  const { router } = gateways.OPENAI;
  const withOutputs = async (more: Partial<Price>, tier = ""): Promise<number> => {
    router.price = { ...PRICE, ...more };
    const { estimate } = await call({ ...asked, members: asked.members + tier });
    return estimate.costMicros - estimate.inputTokens * (tier === "" ? 1 : 6);
  };
  try {
    assert.equal(await withOutputs({ audioOutput: 8_000_000 }), 800);
    assert.equal(await withOutputs({ imageOutput: 10_000_000, audioOutput: 8_000_000 }), 1000);
    assert.equal(await withOutputs({ imageOutput: 500_000 }), 100, "text is dearer");
    assert.equal(await withOutputs({ audioOutput: 8_000_000 }, ',"service_tier":"fast"'), 4800);
  } finally {
    router.price = PRICE;
  }
});
