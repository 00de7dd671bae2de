import assert from "node:assert/strict";
import test from "node:test";
import { MemoryLedger } from "../../test/metering/memory-ledger.js";
import { callId, keptLog, sampleCall } from "../../test/metering/sample-calls.js";
import { SimDisk } from "../../test/metering/sim-disk.js";
import { FakeClock, settle } from "../../test/support/fake-clock.js";
import { Fault } from "../core/fault.js";
import { openJournal, type Journal } from "./journal.js";
import { BATCH_CALLS_MAX, PENDING_CALLS_MAX, Recorder, UNJOURNALED_CALLS_MAX } from "./recorder.js";

interface Bench {
  readonly disk: SimDisk;
  readonly clock: FakeClock;
  readonly ledger: MemoryLedger;
  readonly journal: Journal;
  readonly recorder: Recorder;
  readonly log: ReturnType<typeof keptLog>;
  readonly finish: (from: number, to: number) => void;
}

async function bench(disk = new SimDisk(), ledger = new MemoryLedger()): Promise<Bench> {
  const [clock, log] = [new FakeClock(), keptLog()];
  const from = ledger.position;
  const { journal } = await openJournal({ disk, clock, logger: log, fileBytes: 100_000 }, from);
  const recorder = new Recorder({ ledger, journal, clock, logger: log, from });
  await recorder.start();
  const finish = (first: number, last: number): void => {
    for (let i = first; i <= last; i++) {
      const record = sampleCall(i);
      recorder.offer(record, journal.finish(record));
    }
  };
  return { disk, clock, ledger, journal, recorder, log, finish };
}

const locked = (): Fault => new Fault("storage_unavailable", "The database is locked.");

test("calls go to the database within half a second, in one batch", async () => {
  const { clock, ledger, finish } = await bench();
  finish(1, 40);
  await clock.run(400);
  assert.equal(ledger.calls.size, 0);
  await clock.run(150);
  assert.equal(ledger.calls.size, 40);
  assert.deepEqual(ledger.batches, [40]);
});

test("calls that come while a batch is written wait for their own batch to fill", async () => {
  const { clock, ledger, finish, recorder } = await bench();
  const append = ledger.append.bind(ledger);
  ledger.append = async (...args) => {
    if (ledger.batches.length === 0) finish(41, 60);
    return append(...args);
  };
  finish(1, 40);
  await clock.run(600);
  assert.deepEqual(ledger.batches, [40]);
  finish(61, 80);
  await clock.run(600);
  assert.deepEqual(ledger.batches, [40, 40]);
  finish(81, 90);
  await recorder.caughtUp();
  assert.deepEqual(ledger.batches, [40, 40, 10]);
});

test("a full batch does not wait", async () => {
  const { ledger, finish, recorder } = await bench();
  finish(1, 2.5 * BATCH_CALLS_MAX);
  await recorder.caughtUp();
  assert.equal(ledger.calls.size, 2.5 * BATCH_CALLS_MAX);
  assert.ok(Math.max(...ledger.batches) <= BATCH_CALLS_MAX);
});

test("while the database is away nothing is lost, memory is bounded, and pauses grow to five seconds", async () => {
  const { clock, ledger, finish, recorder, log, disk } = await bench();
  ledger.failure = locked();
  let tries = 0;
  const append = ledger.append.bind(ledger);
  ledger.append = (...args) => {
    tries += 1;
    return append(...args);
  };
  for (let i = 0; i < 30; i++) {
    finish(i * 1000 + 1, (i + 1) * 1000);
    await clock.run(1000);
  }
  assert.ok(recorder.stats.pendingCalls <= PENDING_CALLS_MAX);
  assert.equal(recorder.stats.behind, true);
  assert.equal(recorder.stats.lagCalls, 30_000);
  assert.ok(recorder.stats.lagMs >= 30_000 && recorder.stats.lagMs < 31_000);
  assert.ok(tries <= 12, `${tries} tries`);
  assert.equal(log.lines.filter((line) => line.level === "error").length, 1);
  assert.ok(disk.files.size > 1);
  ledger.failure = undefined;
  await clock.run(6000);
  await recorder.caughtUp();
  assert.equal(ledger.calls.size, 30_000);
  assert.equal(recorder.stats.behind, false);
  assert.deepEqual([recorder.stats.lagCalls, recorder.stats.lagMs], [0, 0]);
  assert.equal(disk.files.size, 1, "recorded files are removed");
  finish(30_001, 30_010);
  await clock.run(600);
  assert.equal(ledger.calls.size, 30_010);
});

test("after a kill the next process records what is missing, and nothing twice", async () => {
  const first = await bench();
  first.finish(1, 1500);
  await first.recorder.caughtUp();
  first.finish(1501, 1800);
  assert.equal(first.ledger.calls.size, 1500);
  const second = await bench(first.disk.afterKill(), first.ledger);
  assert.equal(second.ledger.calls.size, 1800);
  const appended = second.ledger.batches.reduce((sum, size) => sum + size, 0);
  assert.equal(appended, 1800, "the position kept recorded calls from being sent again");
  // A database restored from an older backup gets everything again that the journal still has.
  second.ledger.position = undefined;
  const third = await bench(second.disk.afterKill(), second.ledger);
  assert.equal(third.ledger.calls.size, 1800);
});

test("the next piece of the journal is made ready while one is written", async () => {
  const { clock, ledger, finish, recorder } = await bench();
  const append = ledger.append.bind(ledger);
  const ready: number[] = [];
  ledger.append = async (...args) => {
    await settle();
    if (args[0].length === BATCH_CALLS_MAX) ready.push(ledger.begun.at(-1)?.size ?? 0);
    return append(...args);
  };
  ledger.failure = locked();
  const calls = PENDING_CALLS_MAX + 3 * BATCH_CALLS_MAX;
  finish(1, calls);
  await clock.run(1000);
  ledger.failure = undefined;
  await clock.run(6000);
  await recorder.caughtUp();
  assert.equal(ledger.calls.size, calls);
  assert.deepEqual(ready.slice(0, 2), [BATCH_CALLS_MAX, BATCH_CALLS_MAX]);
});

test("one call that the database refuses does not hold up the others, and is in the log", async () => {
  const { ledger, finish, recorder, log } = await bench();
  ledger.refuses = (record) => record.id === callId(7);
  finish(1, 20);
  await recorder.caughtUp();
  assert.equal(ledger.calls.size, 19);
  assert.deepEqual([recorder.stats.recordedCalls, recorder.stats.refusedCalls], [19, 1]);
  const [line] = log.lines.filter((entry) => entry.level === "error");
  assert.deepEqual(line?.fields["record"], sampleCall(7));
});

test("one refused call among thousands is found in few transactions", async () => {
  const { ledger, finish, recorder } = await bench();
  ledger.refuses = (record) => record.id === callId(1234);
  let tries = 0;
  const append = ledger.append.bind(ledger);
  ledger.append = (...args) => {
    tries += 1;
    return append(...args);
  };
  finish(1, BATCH_CALLS_MAX);
  await recorder.caughtUp();
  const { recordedCalls, refusedCalls } = recorder.stats;
  assert.deepEqual([recordedCalls, refusedCalls], [BATCH_CALLS_MAX - 1, 1]);
  assert.ok(tries < 30, `${tries} transactions`);
});

test("a database that refuses everything is away, not picky: no call is given up", async () => {
  const { clock, ledger, finish, recorder } = await bench();
  ledger.refuses = () => true;
  finish(1, 20);
  await clock.run(3000);
  assert.equal(recorder.stats.refusedCalls, 0);
  ledger.refuses = () => false;
  await clock.run(6000);
  assert.equal(ledger.calls.size, 20);
});

test("calls that the journal could not take reach the database from memory, up to a bound", async () => {
  const { clock, ledger, recorder } = await bench();
  ledger.failure = locked();
  for (let i = 1; i <= UNJOURNALED_CALLS_MAX; i++) {
    assert.equal(recorder.offerUnjournaled(sampleCall(i)), true);
  }
  assert.equal(recorder.offerUnjournaled(sampleCall(0)), false);
  assert.equal(recorder.stats.lostCalls, 1);
  ledger.failure = undefined;
  await clock.run(1000);
  await recorder.caughtUp();
  assert.equal(ledger.calls.size, UNJOURNALED_CALLS_MAX);
});

test("closing brings the last calls into the database", async () => {
  const { ledger, finish, recorder } = await bench();
  finish(1, 3);
  assert.equal(await recorder.close(), true);
  assert.equal(ledger.calls.size, 3);
});

test("closing without a database gives up soon and leaves the calls to the next start", async () => {
  const { ledger, finish, recorder, disk } = await bench();
  ledger.failure = locked();
  finish(1, 3);
  assert.equal(await recorder.close(), false);
  ledger.failure = undefined;
  await bench(disk.afterKill(), ledger);
  assert.equal(ledger.calls.size, 3);
});

test("closing does not wait for ever on a database that does not answer", async () => {
  const { clock, ledger, finish, recorder } = await bench();
  ledger.append = () => new Promise(() => undefined);
  finish(1, 3);
  const closing = recorder.close();
  await clock.run(11_000, 1000);
  assert.equal(await closing, false);
});

test("a journal that cannot be read for a while is read later", async () => {
  const first = await bench();
  first.finish(1, 100);
  const disk = first.disk.afterKill();
  const ledger = new MemoryLedger();
  const [clock, log] = [new FakeClock(), keptLog()];
  const { journal } = await openJournal({ disk, clock, logger: log }, undefined);
  disk.readError = "EIO";
  const recorder = new Recorder({ ledger, journal, clock, logger: log, from: undefined });
  assert.equal(await recorder.start(), false);
  disk.readError = undefined;
  await clock.run(500);
  await settle();
  assert.equal(ledger.calls.size, 100);
});
