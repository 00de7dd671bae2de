import assert from "node:assert/strict";
import { test } from "node:test";
import { Dialect } from "../../proto/gen/latchkey/v1/common_pb.js";
import { Provider_AuthStyle as AuthStyle } from "../../proto/gen/latchkey/v1/providers_pb.js";
import { inTurn, replyJson, type Script } from "../support/upstream-stub.js";
import { addClientKey, addProviderKey, all, dataFolder, upstream } from "./fixture.js";
import { serveInside } from "./inside.js";

// A redirect would carry the provider key to a host of the provider's choice, or of whoever speaks in its place.

const STATUSES = [301, 302, 303, 307, 308];
const MODEL = "moved-chat";
const CHAT = { messages: [{ role: "user", content: "hi" }], max_tokens: 5 };
const PROMPT = { contents: [{ role: "user", parts: [{ text: "hi" }] }] };

const KINDS = [
  { dialect: Dialect.OPENAI, authStyle: AuthStyle.BEARER },
  { dialect: Dialect.OPENAI, authStyle: AuthStyle.AZURE },
  { dialect: Dialect.ANTHROPIC, authStyle: AuthStyle.X_API_KEY },
  { dialect: Dialect.GEMINI, authStyle: AuthStyle.X_GOOG_API_KEY },
];

test("wherever a provider sends who asks it, nobody goes there with its key, and no caller is sent there", async (t) => {
  const stub = await upstream(t);
  const elsewhere = await upstream(t);
  const { api, proxyUrl } = await serveInside(t, dataFolder(t));
  const clientKey = await addClientKey(api);
  const ask = async (path: string, body: object): Promise<void> => {
    stub.received.length = 0;
    const reply = await fetch(`${proxyUrl}${path}`, {
      method: "POST",
      redirect: "manual",
      headers: { authorization: `Bearer ${clientKey}`, "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    assert.deepEqual([reply.status, reply.headers.get("location")], [400, null], path);
    assert.doesNotMatch(await reply.text(), new RegExp(elsewhere.origin));
    const secrets = stub.received.map(({ secret }) => secret);
    assert.deepEqual([secrets.length, new Set(secrets).size], [2, 2], "the next key is tried");
  };
  for (const [at, { dialect, authStyle }] of KINDS.entries()) {
    const slug = `moved-${String(at)}`;
    const model = `${slug}/${MODEL}`;
    const asks = [
      () => ask("/v1/chat/completions", { model, ...CHAT }),
      () => ask("/v1/chat/completions", { model, ...CHAT, stream: true }),
      () => ask("/v1/messages", { model, ...CHAT }),
      () => ask(`/v1beta/models/${encodeURIComponent(model)}:generateContent`, PROMPT),
    ];
    const facts = { slug, displayName: slug, baseUrl: stub.origin, dialect, authStyle };
    const { provider } = await api.providers.createProvider(facts);
    const providerId = provider?.id ?? "";
    await api.providers.upsertModels({ providerId, models: [{ modelId: MODEL }] });
    for (const [turn, status] of STATUSES.entries()) {
      const redirect: Script = (received, res) => {
        res.writeHead(status, { location: `${elsewhere.origin}${received.url}` }).end("{}");
      };
      // Keys of their own: one that fails again and again rests.
      const name = `${slug}-${String(status)}`;
      const id = await addProviderKey(api, providerId, name, `sk-of-${name}`);
      const next = await addProviderKey(api, providerId, `${name}-next`, `sk-next-of-${name}`);
      stub.script = inTurn(redirect, replyJson(400, '{"error":{"message":"Enough."}}'));
      await asks[turn % asks.length]?.();
      stub.script = redirect;
      const target = { case: "id", value: id } as const;
      const last = (await all(api.providerKeys.testProviderKey({ target }))).at(-1)?.event;
      assert.equal(last?.case === "result" && last.value.ok, false, name);
      await api.providerKeys.checkProviderKeyHealth({ id });
      await api.providerKeys.deleteProviderKey({ id });
      await api.providerKeys.deleteProviderKey({ id: next });
    }
  }
  assert.equal(elsewhere.received.length, 0);
});
