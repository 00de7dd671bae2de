import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryLedger } from "../../test/metering/memory-ledger.js";
import { failedCall, sampleCall } from "../../test/metering/sample-calls.js";
import { FakeClock } from "../../test/support/fake-clock.js";
import { silentLogger } from "../../test/support/records.js";
import { DayFigures } from "./day-figures.js";

const HOUR_MS = 3_600_000;

test("who looks after a long time sees the calls of now", async () => {
  const [ledger, clock] = [new MemoryLedger(), new FakeClock()];
  const figures = new DayFigures({ ledger, clock, logger: silentLogger });
  const key = { id: "ck_1" };
  await figures.fresh();
  assert.equal(figures.figuresOf(key).calls24h, 0);
  for (const calls of [1, 2]) {
    const call = { ...sampleCall(calls), clientKeyId: key.id, startedAt: clock.now() };
    await ledger.appendCalls([call], { file: 0, offset: calls });
    clock.advance(HOUR_MS);
    await figures.fresh();
    assert.equal(figures.figuresOf(key).calls24h, calls);
  }
});

test("nothing is said of calls that cannot be counted", async () => {
  const clock = new FakeClock();
  let failure: Error | undefined;
  const usage = () => (failure === undefined ? Promise.resolve([]) : Promise.reject(failure));
  const figures = new DayFigures({ ledger: { usage }, clock, logger: silentLogger });
  await figures.fresh();
  assert.equal(figures.figuresOf({ id: "ck_1" }).calls24h, 0);
  failure = new Error("the disk is gone");
  clock.advance(HOUR_MS);
  await figures.fresh();
  assert.equal(figures.figuresOf({ id: "ck_1" }).calls24h, undefined);
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
    clock.advance(10_000);
    await figures.fresh();
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
