import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Dialect } from "../../server/core/provider.js";
import { replyJson, startUpstreamStub, type UpstreamStub } from "../support/upstream-stub.js";
import { startDialects, type TestGateway } from "./fixture.js";
import { openaiClient } from "./sdk-clients.js";

// OpenAI's SDK asks for vectors in base64 unless it is told otherwise, and reads whatever comes as that.

let stub: UpstreamStub;
let gateways: Readonly<Record<Dialect, TestGateway>>;

before(async () => {
  stub = await startUpstreamStub();
  gateways = await startDialects(stub.origin);
});

after(async () => {
  for (const gateway of Object.values(gateways)) await gateway.close();
  await stub.close();
});

/** As 32-bit numbers hold them. */
function vectors(count: number, length: number): number[][] {
  const numbers = Array.from({ length }, (_each, at) => Math.fround(Math.sin(at)));
  return Array.from({ length: count }, (_each, at) => [at, ...numbers]);
}

function listsOf(made: readonly (readonly number[])[]): string {
  const data = made.map((embedding, index) => ({ object: "embedding", index, embedding }));
  const usage = { prompt_tokens: 5, total_tokens: 5 };
  return JSON.stringify({ object: "list", data, model: "m", usage });
}

const SIZES = [
  ["short", vectors(2, 3)],
  ["long", vectors(40, 768)],
  ["too long to be read whole", vectors(200, 1536)],
] as const;

for (const dialect of ["OPENAI", "GEMINI"] as const) {
  for (const [name, made] of SIZES) {
    for (const framing of ["a length", "chunks"] as const) {
      test(`OpenAI's SDK reads vectors that a provider of ${dialect} sends as lists: ${name}, with ${framing}`, async () => {
        const lists = listsOf(made);
        stub.script =
          framing === "a length"
            ? replyJson(200, lists)
            : (_received, res) => {
                res.writeHead(200, { "content-type": "application/json" });
                res.write(lists.slice(0, 100));
                res.end(lists.slice(100));
              };
        const gateway = gateways[dialect];
        const { data } = await openaiClient(gateway).embeddings.create({ model: "m", input: "x" });
        assert.deepEqual(
          data.map(({ embedding }) => embedding),
          made,
        );
        assert.equal(gateway.sink.records.at(-1)?.tokens.input, 5);
      });
    }
  }
}

test("vectors go on as they come where lists were asked for, or base64 was given", async () => {
  const lists = listsOf(vectors(2, 3));
  stub.script = replyJson(200, lists);
  for (const format of ["", `,"encoding_format":"float"`, `,"encoding_format":null`]) {
    const reply = await gateways.OPENAI.post(
      "/v1/embeddings",
      `{"model":"m","input":"x"${format}}`,
    );
    assert.equal(await reply.text(), lists);
  }
  const given = '{"data":[{"embedding" : "AAAA"}], "usage":{}}';
  stub.script = replyJson(200, given);
  const asked = `{"model":"m","input":"x","encoding_format":"base64"}`;
  assert.equal(await (await gateways.OPENAI.post("/v1/embeddings", asked)).text(), given);
});
