import assert from "node:assert/strict";
import { test } from "node:test";
import { Dialect } from "../../proto/gen/latchkey/v1/common_pb.js";
import { replyJson } from "../support/upstream-stub.js";
import { addClientKey, addProviderKey, dataFolder, upstream } from "./fixture.js";
import { serveInside } from "./inside.js";

test("a model that a provider is known to have is not asked of one that takes any name, although nothing would be translated there", async (t) => {
  const [known, any] = [await upstream(t), await upstream(t)];
  known.script = replyJson(
    200,
    JSON.stringify({
      id: "msg_1",
      type: "message",
      role: "assistant",
      model: "brand-new",
      content: [{ type: "text", text: "Hello." }],
      stop_reason: "end_turn",
      usage: { input_tokens: 1, output_tokens: 1 },
    }),
  );
  const { api, proxyUrl } = await serveInside(t, dataFolder(t));
  for (const [slug, dialect, { origin }] of [
    ["known", Dialect.ANTHROPIC, known],
    ["any", Dialect.OPENAI, any],
  ] as const) {
    // eslint-disable-next-line no-await-in-loop -- one after the other
    const { provider } = await api.providers.createProvider({
      slug,
      displayName: slug,
      baseUrl: origin,
      dialect,
      modelPatterns: [slug === "any" ? "*" : "brand-*"],
    });
    // eslint-disable-next-line no-await-in-loop -- one after the other
    await addProviderKey(api, provider?.id ?? "", slug, `sk-upstream-${slug}-000000`);
  }
  const clientKey = await addClientKey(api);
  const ask = async (path: string, request: object): Promise<void> => {
    const { status } = await fetch(`${proxyUrl}/v1/${path}`, {
      method: "POST",
      headers: { authorization: `Bearer ${clientKey}`, "content-type": "application/json" },
      body: JSON.stringify(request),
    });
    assert.equal(status, 200);
  };
  const messages = [{ role: "user", content: "hi" }];
  await ask("chat/completions", { model: "brand-new", messages });
  assert.deepEqual([known.received.length, any.received.length], [1, 0]);
  await ask("responses/input_tokens", { model: "brand-new", input: "hi" });
  assert.equal(any.received.length, 0, "nor is it counted there");
  await ask("chat/completions", { model: "whatever", messages });
  assert.equal(any.received.length, 1);
});
