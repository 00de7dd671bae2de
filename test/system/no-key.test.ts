import assert from "node:assert/strict";
import { test } from "node:test";
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { addClientKey, dataFolder } from "./fixture.js";
import { serveInside } from "./inside.js";

// Agents ask small models for titles and routes, and go on without them when they are told that there is none.

test("an SDK that asks for a model of which there is no key hears so at once, and does not come again", async (t) => {
  const { api, proxyUrl } = await serveInside(t, dataFolder(t));
  const apiKey = await addClientKey(api);
  let asked = 0;
  const counting: typeof fetch = (...args) => {
    asked++;
    return fetch(...args);
  };
  const messages = [{ role: "user" as const, content: "a title" }];
  const openai = new OpenAI({ apiKey, baseURL: `${proxyUrl}/v1`, fetch: counting });
  const anthropic = new Anthropic({ apiKey, baseURL: proxyUrl, fetch: counting });
  await assert.rejects(
    openai.chat.completions.create({ model: "gpt-5.4-nano", messages }),
    /503 No provider key of your own can serve gpt-5.4-nano/,
  );
  assert.equal(asked, 1);
  await assert.rejects(
    anthropic.messages.create({ model: "claude-haiku-4-5", max_tokens: 5, messages }),
    /503 .*No provider key of your own can serve claude-haiku-4-5/,
  );
  assert.equal(asked, 2);
});
