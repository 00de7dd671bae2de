import assert from "node:assert/strict";
import test from "node:test";
import { NO_TOKENS } from "../../server/core/call.js";
import { Fault } from "../../server/core/fault.js";
import type { CallSink } from "../../server/gateway/ports.js";
import { openAccounting, type Accounting } from "../../server/metering/accounting.js";
import type { CallDurability } from "../../server/metering/call-sink.js";
import { EMPTY_POOL } from "../../server/metering/snapshot.js";
import { FakeClock, settle } from "../support/fake-clock.js";
import { MemoryLedger } from "./memory-ledger.js";
import {
  begin,
  begunCall,
  callId,
  failedCall,
  finish,
  keptLog,
  sampleCall,
} from "./sample-calls.js";
import { SimDisk } from "./sim-disk.js";

interface Bench {
  readonly disk: SimDisk;
  readonly clock: FakeClock;
  readonly ledger: MemoryLedger;
  readonly log: ReturnType<typeof keptLog>;
  readonly accounting: Accounting;
  readonly sink: CallSink;
}

async function bench(
  policy: "strict" | "besteffort" = "besteffort",
  disk = new SimDisk(),
  ledger = new MemoryLedger(),
  durability: CallDurability = "RELAXED",
): Promise<Bench> {
  const [clock, log] = [new FakeClock(), keptLog()];
  const accounting = await openAccounting({
    ledger,
    disk,
    clock,
    logger: log,
    policy: () => policy,
    durability: () => durability,
    poolSummary: () => EMPTY_POOL,
    ownPoolSummary: () => EMPTY_POOL,
    nameOf: () => undefined,
  });
  return { disk, clock, ledger, log, accounting, sink: accounting.sink };
}

test("a finished call is in the journal, on the gauges, with the watchers, and soon in the database", async () => {
  const { disk, clock, ledger, accounting, sink } = await bench();
  begin(sink, begunCall(1));
  assert.equal(accounting.meter.inflight, 1);
  const before = disk.usedBytes;
  finish(sink, sampleCall(1));
  assert.ok(disk.usedBytes > before);
  assert.equal(accounting.meter.inflight, 0);
  assert.equal(accounting.meter.window(60).sums.calls, 1);
  assert.equal(accounting.liveCalls.recent(() => true, 10).length, 1);
  await clock.run(600);
  assert.deepEqual([...ledger.calls.keys()], [callId(1)]);
});

test("a call that was running when the process died leaves a row that says so, once", async () => {
  const first = await bench();
  begin(first.sink, begunCall(1));
  begin(first.sink, begunCall(2));
  begin(first.sink, begunCall(3));
  finish(first.sink, sampleCall(3));
  const second = await bench("besteffort", first.disk.afterKill(), first.ledger);
  assert.equal(second.ledger.calls.size, 3);
  const lost = second.ledger.calls.get(callId(1))!;
  assert.deepEqual(
    [lost.status, lost.errorCode, lost.ownerId, lost.modelAsked, lost.usageSource],
    ["ERROR", "process_died", sampleCall(1).ownerId, "gpt-4o-mini", "ESTIMATED"],
  );
  const { inputTokens, maxOutputTokens, costMicros } = begunCall(1).reserved;
  assert.deepEqual(
    [lost.tokens.input, lost.tokens.output, lost.costMicros],
    [inputTokens, maxOutputTokens, costMicros],
  );
  assert.equal(second.ledger.calls.get(callId(3))!.status, "SUCCESS");
  const third = await bench("besteffort", second.disk.afterKill(), second.ledger);
  assert.equal(third.ledger.calls.size, 3);
  assert.equal(third.log.lines.filter((line) => line.message.includes("running")).length, 0);
});

test("a lost call for which nothing was reserved used nothing, and cost nothing", async () => {
  const reserved = { inputTokens: 0, maxOutputTokens: 0, costMicros: 0 };
  const first = await bench();
  begin(first.sink, { ...begunCall(1), reserved });
  const { ledger } = await bench("besteffort", first.disk.afterKill(), first.ledger);
  const lost = ledger.calls.get(callId(1))!;
  assert.deepEqual([lost.tokens, lost.costMicros, lost.usageSource], [NO_TOKENS, 0, "NONE"]);
});

test("killed again before the rows of lost calls are in the database, the next start finds them", async () => {
  const first = await bench();
  begin(first.sink, begunCall(1));
  first.ledger.failure = new Fault("storage_unavailable", "away");
  const second = await bench("besteffort", first.disk.afterKill(), first.ledger);
  first.ledger.failure = undefined;
  const third = await bench("besteffort", second.disk.afterKill(), first.ledger);
  assert.equal(third.ledger.calls.get(callId(1))?.errorCode, "process_died");
});

test("strict accounting refuses a call before a provider is asked when the disk is full, and recovers by itself", async () => {
  const { disk, sink, accounting } = await bench("strict");
  disk.capacityBytes = disk.usedBytes;
  assert.throws(
    () => begin(sink, begunCall(1)),
    (error) => error instanceof Fault && error.code === "storage_unavailable",
  );
  assert.equal(accounting.meter.inflight, 0);
  disk.capacityBytes = Number.POSITIVE_INFINITY;
  begin(sink, begunCall(2));
  finish(sink, sampleCall(2));
});

test("a call that cannot be recorded at its end is refused by strict accounting, and its usage is kept all the same", async () => {
  const { disk, clock, ledger, sink } = await bench("strict");
  begin(sink, begunCall(1));
  disk.capacityBytes = disk.usedBytes;
  assert.throws(() => finish(sink, sampleCall(1)), Fault);
  await clock.run(500);
  assert.equal(ledger.calls.get(callId(1))?.tokens.input, 812);
});

test("best-effort accounting serves on through a full disk, and every row is there afterwards", async () => {
  const { disk, clock, ledger, sink, accounting } = await bench();
  disk.capacityBytes = disk.usedBytes;
  ledger.failure = new Fault("storage_unavailable", "disk full");
  for (let i = 1; i <= 3000; i++) {
    begin(sink, begunCall(i));
    finish(sink, sampleCall(i));
    if (i % 100 === 0) await clock.run(50);
  }
  assert.equal(accounting.status.recorder.unjournaledCalls, 3000);
  disk.capacityBytes = Number.POSITIVE_INFINITY;
  ledger.failure = undefined;
  for (let i = 3001; i <= 3100; i++) finish(sink, sampleCall(i));
  await clock.run(6000);
  assert.equal(ledger.calls.size, 3100);
  assert.equal(accounting.status.recorder.lostCalls, 0);
});

test("calls that waited in memory are on the disk as soon as it takes them, even without the database", async () => {
  const { disk, ledger, sink, accounting } = await bench();
  disk.capacityBytes = disk.usedBytes;
  ledger.failure = new Fault("storage_unavailable", "disk full");
  for (let i = 1; i <= 40; i++) finish(sink, sampleCall(i));
  disk.capacityBytes = Number.POSITIVE_INFINITY;
  finish(sink, sampleCall(41));
  assert.equal(accounting.status.recorder.unjournaledCalls, 0);
  ledger.failure = undefined;
  const next = await bench("besteffort", disk.afterKill(), ledger);
  assert.equal(next.ledger.calls.size, 41);
});

test("closing without disk and database says how many calls are lost", async () => {
  const { disk, ledger, sink, accounting, log } = await bench();
  disk.capacityBytes = disk.usedBytes;
  ledger.failure = new Fault("storage_unavailable", "disk full");
  for (let i = 1; i <= 3; i++) finish(sink, sampleCall(i));
  assert.equal(await accounting.close(), false);
  assert.equal(accounting.status.recorder.lostCalls, 3);
  assert.deepEqual(log.lines.at(-1)?.fields, { calls: 3 });
});

test("what memory cannot hold is counted as lost, not forgotten silently", async () => {
  const { disk, ledger, sink, accounting } = await bench();
  disk.capacityBytes = disk.usedBytes;
  ledger.failure = new Fault("storage_unavailable", "disk full");
  for (let i = 1; i <= 10_050; i++) finish(sink, sampleCall(i));
  assert.equal(accounting.status.recorder.lostCalls, 50);
});

test("a strictly durable finish resolves only when the record survives a power cut", async () => {
  const [disk, ledger] = [new SimDisk(), new MemoryLedger()];
  const { accounting } = await bench("strict", disk, ledger, "STRICT");
  disk.holdSyncs = true;
  let done = false;
  const ending = finish(accounting.sink, sampleCall(1))?.then(() => (done = true));
  assert.ok(ending !== undefined);
  await settle();
  assert.equal(done, false);
  disk.releaseSyncs();
  await ending;
  const next = await bench(
    "strict",
    disk.afterPowerCut(() => 0),
  );
  assert.equal(next.ledger.calls.size, 1);
});

test("impossible token numbers of a provider are put right and counted", async () => {
  const { clock, ledger, accounting, sink } = await bench();
  finish(
    sink,
    sampleCall(1, {
      tokens: { input: -5, output: NaN, cacheRead: 3, cacheWrite: 0, reasoning: 1e12 },
    }),
  );
  await clock.run(600);
  const { tokens } = ledger.calls.get(callId(1))!;
  assert.deepEqual(tokens, {
    input: 3,
    output: 1_000_000_000,
    cacheRead: 3,
    cacheWrite: 0,
    reasoning: 1_000_000_000,
  });
  assert.equal(accounting.status.unsoundUsages, 1);
});

test("spending of before the start is on the gauge after it, with what the journal still held", async () => {
  const first = await bench();
  const startedAt = first.clock.now();
  finish(first.sink, sampleCall(1, { startedAt, costMicros: 100 }));
  await first.clock.run(300);
  finish(first.sink, sampleCall(2, { startedAt, costMicros: 50 }));
  const second = await bench("besteffort", first.disk.afterKill(), first.ledger);
  assert.equal(second.accounting.meter.spend.todayMicros, 150);
});

test("closing leaves nothing behind: all calls in the database, all handles closed, watchers ended", async () => {
  const { disk, ledger, sink, accounting } = await bench();
  const watch = accounting.overview.subscribe({ intervalMs: 500, windowSeconds: 60 });
  await watch.next();
  const next = watch.next();
  finish(sink, failedCall(1));
  assert.equal(await accounting.close(), true);
  assert.equal((await next).done, true);
  assert.equal(ledger.calls.size, 1);
  assert.equal(disk.openHandles, 0);
});

test("refusals without a client key are counted by reason and are no calls", async () => {
  const { sink, accounting } = await bench();
  sink.refused("invalid_api_key");
  sink.refused("invalid_api_key");
  assert.equal(accounting.meter.totals().refusedByReason.get("invalid_api_key"), 2);
  assert.equal(accounting.meter.totals().sums.calls, 0);
});

test("a changed policy holds from the next call on", async () => {
  let policy: "strict" | "besteffort" = "besteffort";
  const [disk, clock] = [new SimDisk(), new FakeClock()];
  const accounting = await openAccounting({
    ledger: new MemoryLedger(),
    disk,
    clock,
    logger: keptLog(),
    policy: () => policy,
    durability: () => "RELAXED",
    poolSummary: () => EMPTY_POOL,
    ownPoolSummary: () => EMPTY_POOL,
    nameOf: () => undefined,
  });
  disk.capacityBytes = disk.usedBytes;
  begin(accounting.sink, begunCall(1));
  policy = "strict";
  assert.throws(() => begin(accounting.sink, begunCall(2)), { code: "storage_unavailable" });
  policy = "besteffort";
  begin(accounting.sink, begunCall(3));
  assert.equal(accounting.meter.inflight, 2);
});

test("who sees own things only watches own calls alone, from the first look on", async () => {
  const { accounting, clock, sink } = await bench();
  const mine = { ...sampleCall(1), ownerId: "usr_mine", costMicros: 5 };
  finish(sink, mine);
  await clock.run(1000);
  const overview = await accounting.ownerOverviews.of("usr_mine");
  assert.equal(overview.current(60).quality.sums.calls, 0);
  assert.equal(overview.current(60).spend.monthMicros, 5, "from the database");
  begin(sink, { ...begunCall(2), ownerId: "usr_mine" });
  begin(sink, { ...begunCall(3), ownerId: "usr_other" });
  finish(sink, { ...sampleCall(4), ownerId: "usr_other" });
  finish(sink, { ...failedCall(5), ownerId: "usr_mine" });
  const snapshot = overview.current(60);
  assert.equal(snapshot.quality.sums.calls, 1);
  assert.equal(snapshot.traffic.inflight, 1);
  assert.deepEqual(
    snapshot.topOwners.rows.map(({ id }) => id),
    ["usr_mine"],
  );
  assert.deepEqual(
    snapshot.errors.map(({ record }) => record.ownerId),
    ["usr_mine"],
  );
  assert.equal(await accounting.ownerOverviews.of("usr_mine"), overview);
  clock.advance(16 * 60_000);
  await accounting.ownerOverviews.of("usr_other");
  assert.equal(accounting.ownerOverviews.size, 1, "forgotten when nobody watched for long");
});
