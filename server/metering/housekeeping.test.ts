import assert from "node:assert/strict";
import test from "node:test";
import { MemoryLedger } from "../../test/metering/memory-ledger.js";
import { keptLog, sampleCall } from "../../test/metering/sample-calls.js";
import { FakeClock } from "../../test/support/fake-clock.js";
import { Housekeeping, pruneCallsChore, type Chore } from "./housekeeping.js";

const DAY_MS = 86_400_000;

function bench(chores: (clock: FakeClock) => readonly Chore[]): {
  clock: FakeClock;
  log: ReturnType<typeof keptLog>;
  housekeeping: Housekeeping;
} {
  const [clock, log] = [new FakeClock(), keptLog()];
  const housekeeping = new Housekeeping({ chores: chores(clock), clock, logger: log });
  housekeeping.start();
  return { clock, log, housekeeping };
}

test("calls older than the retention go, in steps with pauses; younger ones stay", async () => {
  const ledger = new MemoryLedger();
  const { clock, log, housekeeping } = bench((it) => [
    pruneCallsChore({ ledger, clock: it, keepDays: () => 30 }),
  ]);
  for (let i = 0; i < 5000; i++) {
    const ageDays = i < 3500 ? 31 : 29;
    const call = sampleCall(i, { startedAt: clock.now() - ageDays * DAY_MS });
    ledger.calls.set(call.id, call);
  }
  await clock.run(60_000, 60_000);
  assert.equal(ledger.calls.size, 4000, "one step at a time");
  await clock.run(1000, 20);
  assert.equal(ledger.calls.size, 1500);
  assert.deepEqual(
    log.lines.map((line) => line.fields),
    [{ chore: "old calls", count: 3500 }],
  );
  await housekeeping.stop();
});

test("a chore that fails keeps neither the others nor the next round", async () => {
  let [tries, others] = [0, 0];
  const { clock, log, housekeeping } = bench(() => [
    { name: "bad", step: () => Promise.reject(new Error(`try ${++tries}`)) },
    { name: "good", step: () => Promise.resolve(++others && 0) },
  ]);
  await clock.run(60_000, 60_000);
  await clock.run(3_600_000, 3_600_000);
  assert.deepEqual([tries, others], [2, 2]);
  assert.equal(log.lines.filter((line) => line.level === "warn").length, 2);
  await housekeeping.stop();
});

test("stopping ends between two steps and leaves no timer", async () => {
  let steps = 0;
  const { clock, housekeeping } = bench(() => [
    { name: "endless", step: () => Promise.resolve(++steps) },
  ]);
  await clock.run(60_100, 20);
  assert.ok(steps > 1);
  await housekeeping.stop();
  const before = steps;
  await clock.run(7_200_000, 3_600_000);
  assert.equal(steps, before);
  assert.equal(clock.pending, 0);
});
