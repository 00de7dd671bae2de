import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import test from "node:test";
import sqlite3 from "sqlite3";
import { openAccounting, type Accounting } from "../../server/metering/accounting.js";
import { EMPTY_POOL } from "../../server/metering/snapshot.js";
import type { Storage } from "../../server/storage/open.js";
import { FakeClock } from "../support/fake-clock.js";
import { allCalls, openRealStorage, rollupTotal } from "./real-ledger.js";
import { finish, keptLog, sampleCall } from "./sample-calls.js";
import { SimDisk } from "./sim-disk.js";

interface Bench {
  readonly folder: string;
  readonly storage: Storage;
  readonly clock: FakeClock;
  readonly accounting: Accounting;
}

async function bench(t: test.TestContext): Promise<Bench> {
  const folder = mkdtempSync(path.join(os.tmpdir(), "latchkey-ledger-"));
  // A short wait, so that a locked database is an answer at once.
  const storage = await openRealStorage(folder, 10);
  const clock = new FakeClock();
  const accounting = await openAccounting({
    ledger: storage.ledger,
    disk: new SimDisk(),
    clock,
    logger: keptLog(),
    policy: () => "besteffort",
    durability: () => "RELAXED",
    poolSummary: () => EMPTY_POOL,
    ownPoolSummary: () => EMPTY_POOL,
    nameOf: () => undefined,
  });
  t.after(async () => {
    await storage.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return { folder, storage, clock, accounting };
}

/** Another program on the same database. */
function otherProgram(file: string): { run(sql: string): Promise<void>; close(): Promise<void> } {
  const db = new sqlite3.Database(file);
  const done =
    (resolve: () => void, reject: (error: Error) => void) =>
    (error: Error | null): void => {
      if (error === null) resolve();
      else reject(error);
    };
  return {
    run: (sql) => new Promise((resolve, reject) => db.exec(sql, done(resolve, reject))),
    close: () => new Promise((resolve, reject) => db.close(done(resolve, reject))),
  };
}

test("a call comes back from the database as it was recorded, and the gauges equal the log", async (t) => {
  const { storage, accounting } = await bench(t);
  // The log keeps whole milliseconds.
  const [attempt] = sampleCall(0).attempts;
  const whole = { latencyMs: 812, ttfbMs: 180, attempts: [{ ...attempt!, startedMs: 1 }] };
  for (let i = 1; i <= 2500; i++) finish(accounting.sink, sampleCall(i, whole));
  await accounting.caughtUp();
  const calls = await allCalls(storage.ledger, (call) => call);
  assert.equal(calls.length, 2500);
  assert.deepEqual(await storage.ledger.getCall(sampleCall(7).id), sampleCall(7, whole));
  const total = await rollupTotal(storage.ledger);
  const { sums } = accounting.meter.totals();
  assert.deepEqual(
    [total?.calls, total?.inputTokens, total?.costMicros],
    [sums.calls, sums.inputTokens, sums.costMicros],
  );
  assert.equal(await accounting.close(), true);
});

test("while another program locks the database calls go on, and all are there afterwards", async (t) => {
  const { storage, clock, accounting } = await bench(t);
  const other = otherProgram(storage.file);
  await other.run("BEGIN EXCLUSIVE");
  for (let i = 1; i <= 6000; i++) {
    finish(accounting.sink, sampleCall(i));
    if (i % 500 === 0) await clock.run(2500, 500);
  }
  const { lagCalls, lostCalls, failedTries } = accounting.status.recorder;
  assert.deepEqual([lagCalls, lostCalls], [6000, 0]);
  assert.ok(failedTries > 0);
  await other.run("ROLLBACK");
  await other.close();
  await clock.run(5000, 500);
  assert.equal(await accounting.close(), true);
  assert.equal((await allCalls(storage.ledger, (call) => call)).length, 6000);
  assert.equal((await rollupTotal(storage.ledger))?.calls, 6000);
});

test("a replay of everything changes nothing", async (t) => {
  const { storage, accounting } = await bench(t);
  const batch = Array.from({ length: 700 }, (_, i) => sampleCall(i));
  for (const record of batch) finish(accounting.sink, record);
  await accounting.caughtUp();
  const position = await storage.ledger.journalPosition();
  assert.ok(position);
  for (let i = 0; i < 3; i++) assert.equal(await storage.ledger.appendCalls(batch, position), 0);
  assert.equal((await rollupTotal(storage.ledger))?.calls, 700);
  assert.equal(await accounting.close(), true);
});
