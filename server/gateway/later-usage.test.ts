import assert from "node:assert/strict";
import { test } from "node:test";
import { aPrincipal } from "../../test/support/records.js";
import { NO_TOKENS } from "../core/call.js";
import { LaterUsages } from "./later-usage.js";

const ROOM = 6;

const LATER = { target: { upstreamModel: "m", price: null }, counted: NO_TOKENS };

function response(ownerId: string, batchId: string, clientKeyId = `ck_${ownerId}`) {
  return { ownerId, clientKeyId, batchId, later: LATER };
}

test("whoever leaves many responses behind loses their own, and nobody else any", () => {
  const usages = new LaterUsages(ROOM);
  const quiet = aPrincipal("STANDARD", "usr_quiet");
  usages.note(response("usr_quiet", "resp_1"));
  for (let n = 0; n < 10 * ROOM; n++) {
    usages.note(response("usr_loud", `resp_${String(n)}`, `ck_${String(n % 7)}`));
  }
  const ids = Array.from({ length: 10 * ROOM }, (_, n) => `resp_${String(n)}`);
  const loud = aPrincipal("STANDARD", "usr_loud");
  assert.equal(ids.filter((id) => usages.has(loud, id)).length, ROOM - 1);
  assert.ok(usages.has(quiet, "resp_1"));
  assert.equal(usages.take(quiet, "resp_1"), LATER);
  assert.equal(usages.take(quiet, "resp_1"), undefined, "it counts once");
  assert.ok(!usages.has(loud, "resp_1"));
});
