import assert from "node:assert/strict";
import { test } from "node:test";
import { Listener_Kind } from "../../proto/gen/latchkey/v1/system_pb.js";
import { addClientKey, addProvider, chat, dataFolder, serve, upstream } from "./fixture.js";

test("a scrape tells what happened to calls, keys and sign-ins, and names no key", async (t) => {
  const [stub, server] = [await upstream(t), await serve(t, dataFolder(t))];
  const { providerKeyId } = await addProvider(server.api, stub);
  const clientKey = await addClientKey(server.api);
  stub.script = (_received, res) => {
    res.writeHead(429, { "retry-after": "60" }).end("{}");
  };
  await chat(server.proxyUrl, clientKey);
  await chat(server.proxyUrl, "sk-lk_unknown");
  const wrong = { username: "admin", password: "not-the-password" };
  await assert.rejects(server.api.sessions.login(wrong));
  const { listeners } = await server.api.system.getStatus({});
  const { address } = listeners.find(({ kind }) => kind === Listener_Kind.CONTROL)!;
  const text = await (await fetch(`http://${address}/metrics`)).text();
  const lines = text.split("\n");
  for (const line of [
    'latchkey_calls_total{outcome="rate_limited"} 1',
    'latchkey_attempts_total{outcome="rate_limited"} 1',
    'latchkey_refused_requests_total{reason="invalid_api_key"} 1',
    'latchkey_audited_actions_total{action="client_key.create",outcome="ok"} 1',
    'latchkey_audited_actions_total{action="session.login",outcome="failed"} 1',
    'latchkey_key_health_changes_total{to="cooldown"} 1',
    'latchkey_pool_keys{tier="primary",state="cooldown"} 1',
    "latchkey_client_keys 1",
  ]) {
    assert.ok(lines.includes(line), `${line}\nis not in\n${text}`);
  }
  for (const word of [clientKey, clientKey.slice(0, 12), providerKeyId, "stub-chat"]) {
    assert.ok(!text.includes(word), word);
  }
});
