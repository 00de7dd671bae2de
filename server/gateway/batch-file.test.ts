import assert from "node:assert/strict";
import { test } from "node:test";
import type { Price } from "../core/provider.js";
import { costOf } from "../metering/cost.js";
import { aPrincipal, aRoute } from "../../test/support/records.js";
import { estimateOfFile } from "./batch-file.js";

const PRICE = { input: 1_000_000, output: 10_000_000, cacheRead: 0 } as Price;

/** What is set aside for one line. */
async function reserved(line: object): Promise<number> {
  const resolve = (model: string): ReturnType<typeof aRoute> => {
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
  return (await estimateOfFile(parts as never, "file-1")).costMicros;
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
