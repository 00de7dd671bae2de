import assert from "node:assert/strict";
import test from "node:test";
import type { Provider } from "../../core/provider.js";
import { needsToBeAskedForUsage } from "./ways-of-asking.js";

test("OpenRouter alone tells the usage of a stream unasked, under whichever name it was added", () => {
  for (const [baseUrl, needs] of [
    ["https://openrouter.ai/api/v1", false],
    ["https://openrouter.ai.example/api/v1", true],
    ["https://api.openai.com/v1", true],
  ] as const) {
    const provider: Pick<Provider, "baseUrl"> = { baseUrl };
    assert.equal(needsToBeAskedForUsage(provider), needs, baseUrl);
  }
});
