import assert from "node:assert/strict";
import test from "node:test";
import { Catalog } from "../../server/catalog/catalog.js";
import { presetModels } from "../../server/catalog/preset-models.js";
import { presetProviders } from "../../server/catalog/presets.js";
import type * as ports from "../../server/gateway/ports.js";
import { Limiter } from "../../server/limits/limiter.js";
import { Pool } from "../../server/pool/pool.js";
import { sampleCall } from "../metering/sample-calls.js";
import { FakeClock } from "../support/fake-clock.js";
import { aPrincipal, aProviderKey, seededRandom, silentLogger } from "../support/records.js";

/** The three engines know nothing of the gateway; that they fit its ports is shown by the types here. */
function engines(): { router: ports.Router; limiter: ports.Limiter; pool: ports.Pool } {
  const clock = new FakeClock();
  const catalog = new Catalog({ clock, logger: silentLogger });
  catalog.load({
    providers: presetProviders(0),
    models: presetModels(),
    users: [],
    settings: new Map(),
  });
  const pool = new Pool({
    clock,
    random: seededRandom(1),
    logger: silentLogger,
    inService: (providerId, service, model) => catalog.inService(providerId, service, model),
    onHealthChange: () => {},
  });
  const keys = [
    aProviderKey("pk_qwen", { providerId: "prv_alibaba", service: "qwen" }),
    aProviderKey("pk_wanx", { providerId: "prv_alibaba", service: "wanx" }),
    aProviderKey("pk_gpt", { providerId: "prv_openai" }),
  ];
  pool.load({ keys, users: [], providers: [] }, new Map());
  return { router: catalog, limiter: new Limiter({ clock }), pool };
}

test("catalogue, limiter and pool serve a call through the gateway's ports", () => {
  const { router, limiter, pool } = engines();
  const principal = aPrincipal("SUPER");
  for (const [asked, keyId, upstreamModel] of [
    ["gpt-4o", "pk_gpt", "gpt-4o"],
    ["qwen", "pk_qwen", "qwen-plus"],
    ["wanx2.1-t2i-turbo", "pk_wanx", "wanx2.1-t2i-turbo"],
    ["aliyun/qwen-max", "pk_qwen", "qwen-max"],
  ] as const) {
    const route = router.resolve(asked, principal);
    const ticket = limiter.admit(
      principal,
      { inputTokens: 1, maxOutputTokens: 1, costMicros: 1 },
      "OPENAI",
    );
    const lease = pool.lease({
      principal,
      route,
      tried: new Set(),
      affinity: "",
      home: "",
      endpoint: "",
    });
    assert.equal(lease.providerKey.id, keyId);
    assert.equal(lease.target.upstreamModel, upstreamModel);
    lease.release({
      outcome: "OK",
      httpStatus: 200,
      endedMs: 0,
      retryAfterMs: null,
      unsent: false,
      detail: "",
    });
    lease.settle({ tokens: 2, costMicros: 1 });
    ticket.settle({ tokens: 2, costMicros: 1 }, sampleCall(1));
  }
});
