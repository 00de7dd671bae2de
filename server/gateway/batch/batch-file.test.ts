import assert from "node:assert/strict";
import { test } from "node:test";
import type { Estimate } from "../../core/call.js";
import { Fault } from "../../core/fault.js";
import type { Price } from "../../core/provider.js";
import { costOf } from "../../metering/cost.js";
import { aPrincipal, aRoute } from "../../../test/support/records.js";
import { estimateOfFile } from "./batch-file.js";

const PRICE = { input: 1_000_000, output: 10_000_000, cacheRead: 0 } as Price;

/** What is set aside for one line. */
async function estimateOf(line: object): Promise<Estimate> {
  const resolve = (model: string): ReturnType<typeof aRoute> => {
    if (model === "unknown") throw new Fault("model_not_found", "No provider serves it.");
    const route = aRoute(model);
    return { ...route, targets: route.targets.map((each) => ({ ...each, price: PRICE })) };
  };
  const context = {
    sink: { cost: ({ price }: { price: Price | null }, tokens: never) => costOf(price, tokens) },
    router: { resolve },
    homes: { of: () => undefined },
    batches: {
      readFile: (_file: unknown, onLine: (line: Buffer) => void): Promise<boolean> => {
        onLine(Buffer.from(JSON.stringify(line)));
        return Promise.resolve(true);
      },
    },
  };
  const plan = { route: resolve("m") };
  const parts = { context, plan, principal: aPrincipal("STANDARD") };
  return estimateOfFile(parts as never, "file-1");
}

async function reserved(line: object): Promise<number> {
  return (await estimateOf(line)).costMicros;
}

test("a line sets aside what it asks for, also at an address that is not known here", async () => {
  const body = { model: "m", max_tokens: 1000 };
  const least = 1000 * 5;
  for (const url of [
    "/v1/chat/completions",
    "/chat/completions",
    "/v9/everything",
    "https://api.example.com/v1/chat/completions",
    "",
    "/v1/files",
    "/v1/models",
  ]) {
    assert.ok((await reserved({ custom_id: "a", url, body })) >= least, url);
  }
  assert.ok((await reserved({ body })) >= least);
  assert.ok((await reserved({ url: "/v1/embeddings", body })) < least, "it has no output");
  assert.equal(await reserved({ url: "/v1/chat/completions" }), 0, "it asks for nothing");
});

test("a line for a model that nobody is known to serve sets aside its tokens, though no money", async () => {
  const url = "/v1/chat/completions";
  const known = await estimateOf({ url, body: { model: "another", max_tokens: 1000 } });
  const { costMicros, ...tokens } = await estimateOf({
    url,
    body: { model: "unknown", max_tokens: 1000 },
  });
  assert.deepEqual({ ...tokens, costMicros: known.costMicros }, known);
  assert.equal(costMicros, 0);
  const open = await estimateOf({ url, body: { model: "unknown" } });
  assert.ok(open.maxOutputTokens > 1000, "what a model can give, where there is no bound");
});
