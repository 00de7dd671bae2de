import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Estimate } from "../../server/core/call.js";
import {
  CHAT_REPLY,
  replyJson,
  startUpstreamStub,
  type UpstreamStub,
} from "../support/upstream-stub.js";
import { startGateway, type TestGateway } from "./fixture.js";

/** Of the model, as the fixture's catalogue has it. */
const CATALOGUE_MAX = 1000;
const CHAT = "/v1/chat/completions";
const COMPLETIONS = "/v1/completions";
const MESSAGES = "/v1/messages";
const RESPONSES = "/v1/responses";
const GENERATE = "/v1beta/models/m:generateContent";

let stub: UpstreamStub;
let gateway: TestGateway;

before(async () => {
  stub = await startUpstreamStub();
  gateway = await startGateway({
    providers: [
      { baseUrl: `${stub.origin}/v1` },
      { baseUrl: `${stub.origin}/v1`, dialect: "ANTHROPIC" },
      { baseUrl: `${stub.origin}/v1beta`, dialect: "GEMINI" },
    ],
  });
  stub.script = replyJson(200, CHAT_REPLY);
});

after(async () => {
  await gateway.close();
  await stub.close();
});

/** What is reserved for a call whose body says this beside its model. */
async function reserved(path: string, members: string): Promise<Estimate> {
  await (await gateway.post(path, `{"model":"m",${members}}`)).text();
  const estimate = gateway.limiter.estimates.at(-1);
  assert.ok(estimate !== undefined);
  return estimate;
}

async function reservedOutput(path: string, members: string): Promise<number> {
  return (await reserved(path, members)).maxOutputTokens;
}

test("a call reserves the output that it asks for at most", async () => {
  for (const [path, members] of [
    [CHAT, `"max_tokens":70`],
    [CHAT, `"max_completion_tokens":70`],
    [CHAT, `"max_tokens":35,"n":2`],
    [CHAT, `"max_tokens":7e1`],
    [CHAT, `"max_completion_tokens":null,"max_tokens":70`],
    [COMPLETIONS, `"prompt":"a","max_tokens":70`],
    [COMPLETIONS, `"prompt":"a","max_tokens":14,"n":2,"best_of":5`],
    [COMPLETIONS, `"prompt":["a","b"],"max_tokens":7,"best_of":5`],
    [COMPLETIONS, `"prompt":[[1,2],[3],[4,5,6],[],[7]],"max_tokens":14`],
    [COMPLETIONS, `"prompt":[1,2,3],"max_tokens":70`],
    [COMPLETIONS, `"prompt":[],"max_tokens":70`],
    [RESPONSES, `"prompt":{"id":"p"},"max_output_tokens":70`],
    [RESPONSES, `"max_output_tokens":70`],
    [MESSAGES, `"max_tokens":70`],
    [GENERATE, `"generationConfig":{"maxOutputTokens":70}`],
    [GENERATE, `"generationConfig":{"maxOutputTokens":35,"candidateCount":2}`],
    [GENERATE, `"generation_config":{"max_output_tokens":35,"candidate_count":2}`],
    [GENERATE, `"generation_config":{"maxOutputTokens":35,"candidateCount":2}`],
  ] as const) {
    assert.equal(await reservedOutput(path, members), 70, members);
  }
});

test("a bound that binds nobody reserves what the model can give, as none does", async () => {
  for (const bound of [
    "-1",
    "-1000000",
    "-1e308",
    "0",
    "0.5",
    "1.5",
    "1e999",
    `"70"`,
    "{}",
    "null",
  ]) {
    for (const [path, members] of [
      [CHAT, `"max_tokens":${bound}`],
      [CHAT, `"max_completion_tokens":${bound}`],
      [RESPONSES, `"max_output_tokens":${bound}`],
      [MESSAGES, `"max_tokens":${bound}`],
      [GENERATE, `"generationConfig":{"maxOutputTokens":${bound}}`],
    ] as const) {
      assert.equal(await reservedOutput(path, members), CATALOGUE_MAX, members);
    }
  }
});

test("of several bounds the largest is reserved, for a provider reads the one that it knows", async () => {
  assert.equal(await reservedOutput(CHAT, `"max_completion_tokens":1,"max_tokens":70`), 70);
  assert.equal(
    await reservedOutput(CHAT, `"max_completion_tokens":-1,"max_tokens":70`),
    CATALOGUE_MAX,
  );
});

test("where a fallback of Anthropic's may make more than the request's own model, that is reserved", async () => {
  const asked = (fallbacks: string): Promise<number> =>
    reservedOutput(MESSAGES, `"max_tokens":7,"fallbacks":${fallbacks}`);
  assert.equal(await asked('[{"model":"a","max_tokens":5},{"model":"b","max_tokens":70}]'), 70);
  assert.equal(await asked('[{"model":"a","max_tokens":0}]'), CATALOGUE_MAX);
  for (const none of ['"default"', "null", "[]", '["a"]', '[{"model":"a","max_tokens":null}]']) {
    assert.equal(await asked(none), 7, none);
  }
});

test("a number of choices that no provider takes never makes a reservation smaller", async () => {
  for (const choices of ["-5", "0", "0.1", "1e999", "null"]) {
    assert.equal(await reservedOutput(CHAT, `"max_tokens":70,"n":${choices}`), 70, choices);
    const config = `"generationConfig":{"maxOutputTokens":70,"candidateCount":${choices}}`;
    assert.equal(await reservedOutput(GENERATE, config), 70, choices);
  }
});

test("every choice counts, where the model alone bounds the output too", async () => {
  assert.equal(await reservedOutput(CHAT, `"n":3`), 3 * CATALOGUE_MAX);
  const config = `"generationConfig":{"candidateCount":3}`;
  assert.equal(await reservedOutput(GENERATE, config), 3 * CATALOGUE_MAX);
});

test("choices in quotes count, as Google and lenient servers take them", async () => {
  for (const three of ['"3"', '" 3 "', '"3.0"', String.raw`"\u0033"`, '"0_3"']) {
    assert.equal(await reservedOutput(CHAT, `"max_tokens":70,"n":${three}`), 210, three);
    const config = `"generationConfig":{"maxOutputTokens":70,"candidateCount":${three}}`;
    assert.equal(await reservedOutput(GENERATE, config), 210, three);
  }
  assert.equal(
    await reservedOutput(COMPLETIONS, `"prompt":"a","max_tokens":70,"best_of":"2"`),
    140,
  );
  for (const none of ['"x"', '""', '"-3"', '"Infinity"', "[3]", "true"]) {
    const output = await reservedOutput(CHAT, `"max_tokens":70,"n":${none}`);
    assert.ok(output === 70 || output === 1_000_000_000, none);
  }
});

test("a call reserves what it may cost at most, whichever model of its fallback chain serves it", async () => {
  const { sink, router } = gateway;
  sink.outputPrices["stub1"] = 1000;
  assert.ok((await reserved(CHAT, `"max_tokens":70`)).costMicros >= 70_000);
  delete sink.outputPrices["stub1"];
  router.maxOutputs["stub2"] = 5 * CATALOGUE_MAX;
  assert.equal(await reservedOutput(CHAT, `"stop":"."`), 5 * CATALOGUE_MAX);
  delete router.maxOutputs["stub2"];
});

test("whatever is asked for, what is reserved is a number that sums can hold", async () => {
  for (const members of [
    `"max_tokens":1e308,"n":100`,
    `"max_tokens":1e308`,
    `"n":1e308`,
    `"max_tokens":2,"n":1e12`,
  ]) {
    const { maxOutputTokens, costMicros } = await reserved(CHAT, members);
    assert.equal(maxOutputTokens, 1_000_000_000, members);
    assert.ok(Number.isSafeInteger(costMicros), members);
  }
});

test("a bound that makes no sense goes to the provider as the caller wrote it", async () => {
  const body = `{"model":"m","max_tokens" : -1,"n":-2.50,"messages":[]}`;
  await (await gateway.post(CHAT, body)).text();
  assert.equal(String(stub.received.at(-1)?.body), body);
});
