import assert from "node:assert/strict";
import { test } from "node:test";
import type { Lease } from "../../server/core/lease.js";
import { CHAT, ok, SECRETS, stubbedGateway } from "./stubbed-gateway.js";

const site = stubbedGateway(SECRETS);

function broken(): never {
  throw new Error("a bug");
}

test("whatever goes wrong at a call's end, what was reserved for it is settled and the caller answered", async () => {
  for (const part of ["cost", "release", "settle"] as const) {
    const gateway = await site.start();
    site.stub.script = ok;
    const { pool, sink, limiter, log } = gateway;
    let calls = 0;
    if (part === "cost") {
      const cost = sink.cost.bind(sink);
      // The first question is what to reserve.
      sink.cost = (...args) => (calls++ === 0 ? cost(...args) : broken());
    } else {
      const lend = pool.lease.bind(pool);
      pool.lease = (request): Lease => {
        const lease = lend(request);
        return {
          ...lease,
          ...(part === "release" ? { release: broken } : {}),
          ...(part === "settle" ? { settle: broken } : {}),
        };
      };
    }
    const response = await gateway.post("/v1/chat/completions", CHAT);
    assert.equal(response.status, 200, part);
    await response.text();
    assert.equal(limiter.open, 0, part);
    assert.equal(limiter.settled.length, 1, part);
    assert.equal((await sink.record()).status, "SUCCESS", part);
    assert.match(JSON.stringify(log), /not settled/, part);
  }
});
