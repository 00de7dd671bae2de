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

test("whoever leaves many responses behind is told less of their own, and nobody else of any", () => {
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

test("each response counts once, with a caller or with this server, and one that is not remembered with this server", () => {
  const usages = new LaterUsages(ROOM);
  const caller = aPrincipal("STANDARD", "usr_1");
  const all = Array.from({ length: 3 * ROOM }, (_, n) => response("usr_1", `resp_${String(n)}`));
  for (const each of all) usages.note(each);
  const told = all.filter(({ batchId }, n) => n % 2 === 0 && usages.take(caller, batchId));
  assert.equal(told.length, ROOM / 2);
  const counted = all.filter((each) => usages.claim(each));
  assert.equal(counted.length, all.length - told.length);
  assert.ok(counted.every((each) => !told.includes(each)));
  assert.ok(all.every(({ batchId }) => usages.take(caller, batchId) === undefined));
});

test("of those that callers were told of, as many are remembered as of the others", () => {
  const usages = new LaterUsages(ROOM);
  const caller = aPrincipal("STANDARD", "usr_1");
  const all = Array.from({ length: 3 * ROOM }, (_, n) => response("usr_1", `resp_${String(n)}`));
  for (const each of all) {
    usages.note(each);
    usages.take(caller, each.batchId);
  }
  assert.equal(all.filter((each) => !usages.claim(each)).length, ROOM);
});
