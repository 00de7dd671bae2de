import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { ModelPriceSchema } from "../../proto/gen/latchkey/v1/providers_pb.js";
import { priceCells, priceLines, priceText } from "./prices.js";

const NO_TOKENS = { inputMicrosPerMillion: 0n, outputMicrosPerMillion: 0n };
const DALL_E = {
  ...NO_TOKENS,
  imagePrices: [
    { size: "1024x1024", quality: "standard", micros: 40_000n },
    { size: "1024x1792", quality: "hd", micros: 120_000n },
  ],
};

test("a price is told in the unit that is paid for, and nothing that costs money looks free", () => {
  for (const [price, text, input, output] of [
    [
      { inputMicrosPerMillion: 2_500_000n, outputMicrosPerMillion: 10_000_000n },
      "in $2.50, out $10.00 per million",
      "$2.50",
      "$10.00",
    ],
    [
      {
        inputMicrosPerMillion: 300_000n,
        outputMicrosPerMillion: 2_500_000n,
        imageOutputMicrosPerMillion: 30_000_000n,
      },
      "in $0.30, out $2.50, images $30.00 per million",
      "$0.30",
      "$2.50",
    ],
    [NO_TOKENS, "in $0.00, out $0.00 per million", "$0.00", "$0.00"],
    [{ ...NO_TOKENS, audioHourMicros: 360_000n }, "$0.36 an hour", "$0.36/h", "-"],
    [
      { ...NO_TOKENS, speechMicrosPerMillionCharacters: 15_000_000n },
      "$15.00 a million characters",
      "$15.00/M",
      "-",
    ],
    [{ ...NO_TOKENS, perImageMicros: 22_080n }, "$0.02208 an image", "-", "$0.02 ea"],
    [DALL_E, "$0.04 to $0.12 an image", "-", "$0.04 ea"],
    [
      {
        inputMicrosPerMillion: 5_000_000n,
        outputMicrosPerMillion: 40_000_000n,
        perImageMicros: 1n,
      },
      "in $5.00, out $40.00 per million; $0.000001 an image",
      "$5.00",
      "$40.00",
    ],
  ] as const) {
    const message = create(ModelPriceSchema, price as MessageInitShape<typeof ModelPriceSchema>);
    assert.equal(priceText(message), text);
    assert.deepEqual(priceCells(message), { input, output });
  }
});

test("each size and quality has a line of its own, and what is in none of them one more", () => {
  const price = create(ModelPriceSchema, { ...DALL_E, perImageMicros: 50_000n });
  assert.deepEqual(priceLines(price), [
    ["image", "$0.04 1024x1024 standard"],
    ["image", "$0.12 1024x1792 hd"],
    ["image", "$0.05 each of any other kind"],
  ]);
});

test("what service tiers and batches cost is said in percent", () => {
  const price = create(ModelPriceSchema, {
    inputMicrosPerMillion: 150_000n,
    outputMicrosPerMillion: 600_000n,
    batchPercent: 100n,
    serviceTiers: [
      { tier: "priority", percent: 166.66667 },
      { tier: "flex", percent: 50 },
    ],
  });
  assert.deepEqual(priceLines(price).slice(-3), [
    ["batches", "100 % of this"],
    ["priority", "166.67 % of this"],
    ["flex", "50 % of this"],
  ]);
});
