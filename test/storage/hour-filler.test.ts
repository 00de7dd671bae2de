import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { fill } from "../../scripts/bench/ledger-rows.js";
import { MadeCalls } from "../../scripts/bench/made-calls.js";
import { DAY_MS } from "../../server/core/durations.js";
import { connect } from "../../server/storage/db.js";
import { opened } from "./fixture.js";

const TABLES = [
  "ledger_names",
  "calls",
  "call_minutes",
  "ledger_state",
  "usage_keys",
  "rollups_minute",
  "rollups_hour",
  "rollups_day",
  "totals_minute",
  "totals_hour",
  "totals_day",
];
const TO_MS = Date.UTC(2026, 5, 30, 12, 34, 56);
const MINUTES_BEFORE_MS = Date.UTC(2026, 5, 23, 12);
const HOURS_BEFORE_MS = Date.UTC(2026, 3, 1);

test("a ledger that is filled by the hour is row by row the one that a server fills", async (t) => {
  const byServer = await filled(t, { rate: 1e9 });
  const byHours = await filled(t, { rate: 0 });
  for (const table of TABLES) assert.deepEqual(byHours[table], byServer[table], table);
  assert.ok((byHours["totals_minute"]?.length ?? 0) > 0);
  assert.ok((byHours["rollups_hour"]?.length ?? 0) > 0);
});

async function filled(t: TestContext, { rate }: { rate: number }) {
  const { storage } = await opened(t);
  const fromMs = TO_MS - 100 * DAY_MS;
  await fill(storage, { rows: 4000, fromMs, toMs: TO_MS, rate, seconds: 600 });
  // A later call has both take over the minutes that are still open.
  const later = new MadeCalls(1).next(TO_MS + DAY_MS);
  await storage.ledger.appendCalls([later], { file: 1, offset: 4001 });
  await storage.ledger.pruneRollups(
    { minutesBeforeMs: MINUTES_BEFORE_MS, hoursBeforeMs: HOURS_BEFORE_MS, daysBeforeMs: 0 },
    1000,
  );
  const knex = connect({ file: storage.file, readOnly: true });
  try {
    const dump: Record<string, unknown[]> = {};
    for (const table of TABLES)
      dump[table] = await knex.raw(`SELECT * FROM ${table} ORDER BY 1, 2`);
    return dump;
  } finally {
    await knex.destroy();
  }
}
