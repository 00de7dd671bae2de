import assert from "node:assert/strict";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { housekeepingChores } from "../../server/app/housekeeping.js";
import { DAY_MS, HOUR_MS, MINUTE_MS } from "../../server/core/durations.js";
import { FakeClock } from "../support/fake-clock.js";
import { opened, query } from "./fixture.js";
import { AT, call, everything } from "./ledger-fixture.js";

const NOW_MS = Date.UTC(2026, 10, 20);
const YEARS_MS = 2 * 365 * DAY_MS;
const values = {
  callRetentionDays: 30,
  minuteRollupDays: 7,
  hourRollupDays: 90,
  dayRollupDays: 700,
};

/** A ledger with a new call, and one that is older than calls are kept, and what housekeeping leaves of it. */
async function housekeeping(t: TestContext, clock: FakeClock) {
  const { storage } = await opened(t, { clock });
  const ages = [40 * DAY_MS, 10 * MINUTE_MS];
  const calls = ages.map((ageMs, n) => call(n, { startedAt: NOW_MS - ageMs }));
  await storage.ledger.appendCalls(calls, AT);
  const chores = await housekeepingChores({ storage, clock, settings: { values } });
  return async () => {
    for (const { step } of chores) while ((await step()) > 0);
    const range = { fromMs: 0, toMs: NOW_MS + 2 * YEARS_MS };
    return {
      calls: (await storage.ledger.listCalls(query())).items.length,
      hours: (await storage.ledger.usage(everything({ ...range, bucket: "HOUR" }))).length,
      days: (await storage.ledger.usage(everything({ ...range, bucket: "DAY" }))).length,
    };
  };
}

const OLD_CALL_GONE = { calls: 1, hours: 2, days: 2 };

test("nothing is deleted because the clock is ahead by years for some hours", async (t) => {
  const clock = new FakeClock(NOW_MS);
  const round = await housekeeping(t, clock);
  clock.jumpWall(YEARS_MS);
  assert.deepEqual(await round(), OLD_CALL_GONE);
  clock.advance(5 * HOUR_MS);
  assert.deepEqual(await round(), OLD_CALL_GONE);
  clock.jumpWall(-YEARS_MS);
  assert.deepEqual(await round(), OLD_CALL_GONE);
});

test("a start with a clock that is ahead by years deletes nothing; after a day it is believed", async (t) => {
  const clock = new FakeClock(NOW_MS + YEARS_MS);
  const round = await housekeeping(t, clock);
  assert.deepEqual(await round(), OLD_CALL_GONE);
  clock.advance(DAY_MS);
  assert.deepEqual(await round(), { calls: 0, hours: 1, days: 1 });
});

test("a stop does not wait for all that is old to be deleted, and the next start goes on", async (t) => {
  const clock = new FakeClock(NOW_MS);
  const { storage } = await opened(t, { clock });
  const old = Array.from({ length: 2000 }, (_, n) => call(n, { startedAt: NOW_MS - 40 * DAY_MS }));
  await storage.ledger.appendCalls(old, AT);
  await storage.ledger.appendCalls([call(2000, { startedAt: NOW_MS })], AT);
  const [calls] = await housekeepingChores({ storage, clock, settings: { values } });
  const step = calls!.step();
  storage.endBackground();
  await assert.rejects(step, { code: "shutting_down" });
  const left = (await storage.ledger.listCalls(query())).total;
  assert.ok(left > 1900, `${left} left`);
  await storage.ledger.appendCalls([call(2001, { startedAt: NOW_MS })], AT);
  await storage.close();
  const again = await opened(t, { clock, dataFolder: path.dirname(storage.file) });
  const [rest] = await housekeepingChores({ ...again, clock, settings: { values } });
  while ((await rest!.step()) > 0);
  assert.equal((await again.storage.ledger.listCalls(query())).total, 2);
});
