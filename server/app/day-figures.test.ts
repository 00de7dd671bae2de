import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryLedger } from "../../test/metering/memory-ledger.js";
import { failedCall, sampleCall } from "../../test/metering/sample-calls.js";
import { FakeClock } from "../../test/support/fake-clock.js";
import { silentLogger } from "../../test/support/records.js";
import { DayFigures } from "./day-figures.js";

const HOUR_MS = 3_600_000;

test("nothing is said of calls until they have been counted, then of every key", async () => {
  const [ledger, clock] = [new MemoryLedger(), new FakeClock()];
  const figures = new DayFigures({ ledger, clock, logger: silentLogger });
  assert.equal(figures.figuresOf({ id: "ck_1" }).calls24h, undefined);
  await figures.refresh();
  // The look has begun a reading, which this waits for.
  await new Promise(setImmediate);
  assert.equal(figures.figuresOf({ id: "ck_1" }).calls24h, 0);
});

test("a key of which most calls of the last hour failed is marked, from twenty calls on", async () => {
  const [ledger, clock] = [new MemoryLedger(), new FakeClock()];
  const figures = new DayFigures({ ledger, clock, logger: silentLogger });
  const key = { id: "ck_1" };
  let next = 1;
  const add = async (count: number, call: typeof sampleCall, agoMs: number): Promise<void> => {
    const calls = Array.from({ length: count }, () => ({
      ...call(next++),
      clientKeyId: key.id,
      startedAt: clock.now() - agoMs,
    }));
    await ledger.appendCalls(calls, { file: 0, offset: next });
    await figures.refresh();
  };
  await add(50, failedCall, 2 * HOUR_MS);
  assert.equal(figures.figuresOf(key).highErrorRate, false, "long ago");
  await add(19, failedCall, 1000);
  assert.equal(figures.figuresOf(key).highErrorRate, false, "too few");
  await add(1, failedCall, 1000);
  assert.equal(figures.figuresOf(key).highErrorRate, true);
  await add(20, sampleCall, 1000);
  assert.equal(figures.figuresOf(key).highErrorRate, false, "as many succeeded");
  assert.equal(figures.figuresOf(key).calls24h, 90);
});
