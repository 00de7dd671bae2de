import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { batchPrice } from "../../core/batch.js";
import type { Estimate } from "../../core/call.js";
import { Fault } from "../../core/fault.js";
import type { Price } from "../../core/provider.js";
import { costOf } from "../../metering/cost.js";
import { aPrincipal, aRoute } from "../../../test/support/records.js";
import { worstCase } from "./batch-estimate.js";
import { matchEndpoint } from "../route/match.js";

const PATHS = {
  ANTHROPIC: "/v1/messages/batches",
  GEMINI: "/v1beta/models/dear:batchGenerateContent",
} as const;
type Kind = keyof typeof PATHS;

function perMillion(input: number, output: number): Price {
  return { input, output, cacheRead: 0 } as Price;
}

const PRICES: Readonly<Record<string, Price>> = {
  cheap: perMillion(1_000_000, 2_000_000),
  dear: perMillion(20_000_000, 100_000_000),
};
const MAX_OUTPUT = 50_000;

function estimate(kind: Kind, text: string, hasBudget = true): Estimate {
  const match = matchEndpoint("POST", PATHS[kind], kind);
  assert.ok("endpoint" in match);
  const resolve = (model: string): ReturnType<typeof aRoute> => {
    const price = PRICES[model];
    if (price === undefined) throw new Fault("model_not_found", "No such model.");
    const route = aRoute(model);
    const targets = route.targets.map((each) => ({ ...each, price, maxOutput: MAX_OUTPUT }));
    return { ...route, targets };
  };
  const plan = { body: Buffer.from(text), route: resolve("dear"), modelAsked: "dear" };
  const context = {
    sink: { cost: ({ price }: { price: Price | null }, tokens: never) => costOf(price, tokens) },
    router: { resolve },
    limiter: { hasBudget: () => hasBudget },
  };
  const principal = aPrincipal("STANDARD");
  return worstCase({ context, plan, match, head: {}, principal } as never);
}

/** Members that bound nothing and name no model, although they have the names of those that do. */
const NOISE = [
  '"metadata":{"max_tokens":1,"maxOutputTokens":1,"model":"cheap"}',
  '"tools":[{"name":"t","input_schema":{"params":{"model":"cheap","max_tokens":1}}}]',
  `"labels":[${Array.from({ length: 40 }, (_, at) => `{"model":"made-up-${at}"}`).join()}]`,
];
/** Of an output, as written, and how many tokens that is at most. */
const BOUNDS = [
  ["1000", 1000],
  [`${" ".repeat(300)}1000`, 1000],
  ["30000", 30_000],
  // Some take these for a number and some for none.
  ["30000.5", MAX_OUTPUT],
  ['"30000"', MAX_OUTPUT],
  ["null", MAX_OUTPUT],
] as const;

interface Request {
  readonly model: string;
  readonly bound: (typeof BOUNDS)[number];
  readonly noise: readonly string[];
  readonly escaped: boolean;
}

const request: fc.Arbitrary<Request> = fc.record({
  model: fc.constantFrom("cheap", "dear", "unknown"),
  bound: fc.constantFrom(...BOUNDS),
  noise: fc.subarray(NOISE),
  escaped: fc.boolean(),
});

function written(kind: Kind, { model, bound: [bound], noise, escaped }: Request): string {
  const name = (text: string): string =>
    escaped ? text.replace("m", String.raw`\u006d`).replace("r", String.raw`\u0072`) : text;
  if (kind === "GEMINI") {
    const config = `"${name("generationConfig")}":{"${name("maxOutputTokens")}":${bound}}`;
    return `{"${name("request")}":{${[...noise, config].join()}}}`;
  }
  const own = `"${name("model")}":"${model}","${name("max_tokens")}":${bound}`;
  return `{"custom_id":"x","${name("params")}":{${[...noise, own].join()}}}`;
}

function batchOf(kind: Kind, requests: readonly Request[]): string {
  const list = `[${requests.map((each) => written(kind, each)).join()}]`;
  if (kind === "ANTHROPIC") return `{"requests":${list}}`;
  return `{"batch":{"input_config":{"requests":{"requests":${list}}}}}`;
}

test("a batch sets aside what each of its requests may cost, whatever else it names and however it is written", () => {
  for (const kind of ["ANTHROPIC", "GEMINI"] as const) {
    fc.assert(
      fc.property(fc.array(request, { minLength: 1, maxLength: 6 }), (requests) => {
        const text = batchOf(kind, requests);
        const { costMicros, maxOutputTokens, inputTokens } = estimate(kind, text);
        let output = 0;
        let least = 0;
        for (const { model, bound } of requests) {
          const price = kind === "GEMINI" ? PRICES["dear"] : PRICES[model];
          const tokens = price === undefined && bound[1] === MAX_OUTPUT ? 4096 : bound[1];
          output += tokens;
          if (price !== undefined) least += (batchPrice(price).output * tokens) / 1_000_000;
        }
        assert.equal(maxOutputTokens, output, text);
        assert.ok(inputTokens > 0 && inputTokens * 4 <= text.length + 4 * requests.length);
        assert.ok(costMicros >= Math.floor(least), `${String(costMicros)} of ${String(least)}`);
        assert.ok(costMicros <= least + inputTokens * 10 + requests.length);
      }),
      { numRuns: 100 },
    );
  }
});

test("where a budget holds, a batch that cannot be read, or asks for no end of models, does not go on", () => {
  const models = Array.from({ length: 65 }, (_, at) => `{"params":{"model":"m${String(at)}"}}`);
  for (const text of [
    `{"requests":[${models.join()}]}`,
    `{"requests":[${'{"params":{}},'.repeat(100_000)}{"params":{}}]}`,
    '{"requests":[{"params":{"model":"cheap","max_tokens":1,"max_tokens":99999}}]}',
    '{"requests":[{"params":{"model":"cheap","model":"dear"}}]}',
    '{"requests":[{"params":{"model":"cheap","Max_Tokens":1}}]}',
    '{"requests":[],"requests":[{"params":{"model":"dear"}}]}',
    '{"requests":[{"Params":{"model":"dear"}}]}',
    '{"requests":{}}',
    "[]",
  ]) {
    assert.throws(() => estimate("ANTHROPIC", text), Fault, text.slice(0, 200));
    assert.equal(estimate("ANTHROPIC", text, false).costMicros, 0, text.slice(0, 200));
  }
  const inFile = '{"batch":{"inputConfig":{"fileName":"files/x"}}}';
  assert.equal(estimate("GEMINI", inFile).costMicros, 0);
});

test("where a budget holds nothing is set aside for a fallback of which the caller has no key", () => {
  const match = matchEndpoint("POST", "/v1/chat/completions", "OPENAI");
  const targets = ["cheap", "dear"].map((model) => ({
    ...aRoute(model).targets[0],
    price: PRICES[model],
    maxOutput: MAX_OUTPUT,
  }));
  const costMicros = (served: readonly string[], hasBudget = true): number => {
    const context = {
      sink: { cost: ({ price }: { price: Price | null }, tokens: never) => costOf(price, tokens) },
      router: {
        isServed: ({ upstreamModel }: { upstreamModel: string }) => served.includes(upstreamModel),
      },
      limiter: { hasBudget: () => hasBudget },
    };
    const plan = { body: Buffer.from("{}"), bodyHead: {}, route: { targets } };
    const principal = aPrincipal("STANDARD");
    return worstCase({ context, plan, match, head: {}, principal } as never).costMicros;
  };
  const [cheap, dear] = [costMicros(["cheap"]), costMicros(["cheap", "dear"])];
  assert.ok(cheap > 0 && dear >= 20 * cheap, `${cheap} and ${dear}`);
  assert.equal(costMicros(["dear"]), dear);
  assert.equal(costMicros([]), dear, "a call that gets no key is refused for that");
  assert.equal(costMicros(["cheap"], false), dear);
});
