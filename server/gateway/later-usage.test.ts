import assert from "node:assert/strict";
import { test } from "node:test";
import { aPrincipal } from "../../test/support/records.js";
import { NO_TOKENS } from "../core/call.js";
import type { LaterUsage } from "../core/later-usage.js";
import { LaterUsages } from "./later-usage.js";

const ROOM = 6;

function later(ownerId: string, responseId: string, clientKeyId = `ck_${ownerId}`): LaterUsage {
  const target = { upstreamModel: "m", price: null };
  return { ownerId, clientKeyId, responseId, target, counted: NO_TOKENS };
}

test("whoever leaves many responses behind loses their own, and nobody else any", () => {
  const usages = new LaterUsages(ROOM);
  const quiet = aPrincipal("STANDARD", "usr_quiet");
  usages.note(later("usr_quiet", "resp_1"));
  for (let n = 0; n < 10 * ROOM; n++) {
    usages.note(later("usr_loud", `resp_${String(n)}`, `ck_${String(n % 7)}`));
  }
  assert.equal(usages.all.length, ROOM);
  assert.ok(usages.has(quiet, "resp_1"));
  assert.equal(usages.take(quiet, "resp_1")?.ownerId, "usr_quiet");
  assert.equal(usages.take(quiet, "resp_1"), undefined, "it counts once");
  assert.ok(!usages.has(aPrincipal("STANDARD", "usr_loud"), "resp_1"));
});
