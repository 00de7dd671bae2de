import assert from "node:assert/strict";
import test from "node:test";
import { crc32 } from "node:zlib";
import * as fc from "fast-check";
import { begunCall, callId, keptLog, sampleCall } from "../../test/metering/sample-calls.js";
import { SimDisk } from "../../test/metering/sim-disk.js";
import { FakeClock, settle } from "../../test/support/fake-clock.js";
import type { CallRecord } from "../core/call.js";
import { Fault } from "../core/fault.js";
import { openJournal, type Journal } from "./journal.js";
import { encodeHeader, HEADER_BYTES } from "./journal-frames.js";
import { journalName } from "./journal-position.js";
import type { JournalPosition } from "./ports.js";

const START: JournalPosition = { file: 0, offset: 0 };

interface Bench {
  readonly disk: SimDisk;
  readonly clock: FakeClock;
  readonly log: ReturnType<typeof keptLog>;
  readonly journal: Journal;
  readonly orphans: readonly string[];
  readonly torn: number;
}

async function bench(disk = new SimDisk(), options: { fileBytes?: number } = {}): Promise<Bench> {
  const [clock, log] = [new FakeClock(), keptLog()];
  const { journal, recovered } = await openJournal(
    { disk, clock, logger: log, ...options },
    undefined,
  );
  const orphans = recovered.orphans.map((call) => call.id);
  return { disk, clock, log, journal, orphans, torn: recovered.torn.length };
}

async function readAll(journal: Journal, from = START): Promise<string[]> {
  const ids: string[] = [];
  let at = from;
  for (;;) {
    const before = ids.length;
    at = await journal.read(at, 7, ({ id }) => ids.push(id));
    assert.ok(ids.length <= before + 7);
    if (at.file === journal.end.file && at.offset === journal.end.offset) return ids;
  }
}

function emptyFile(): { bytes: Buffer; size: number; synced: number; named: boolean } {
  return { bytes: Buffer.alloc(0), size: 0, synced: 0, named: true };
}

const ids = (count: number, from = 1): string[] =>
  Array.from({ length: count }, (_, i) => callId(from + i));

function refusal(error: unknown): boolean {
  return error instanceof Fault && error.code === "storage_unavailable";
}

test("a record is on the disk when finish returns, and the next process finds it", async () => {
  const { disk, journal } = await bench();
  for (let i = 1; i <= 20; i++) journal.finish(sampleCall(i));
  const next = await bench(disk.afterKill());
  assert.deepEqual(await readAll(next.journal), ids(20));
  assert.equal(next.torn, 0);
});

test("a call is read back as it ended, whether it began so, otherwise or with more than is kept", async () => {
  const { journal } = await bench();
  const names = ["豆包", "m".repeat(2000), "asked first"];
  const records = names.map((modelAsked, i) => sampleCall(i + 1, { modelAsked }));
  const { reserved } = begunCall(1);
  for (const record of records) journal.begin({ ...record, reserved });
  const ended = records.with(2, { ...records[2]!, modelAsked: "asked then" });
  for (const record of ended) journal.finish(record);
  const models: string[] = [];
  await journal.read(START, 7, ({ modelAsked }) => models.push(modelAsked));
  assert.deepEqual(models, [...names.slice(0, 2), "asked then"]);
});

test("a call that ended with any other value than it began with is read back as it ended", async () => {
  const others: Partial<CallRecord> = {
    startedAt: 1,
    clientKeyId: "ck_other",
    clientKeyKind: "SUPER",
    ownerId: "usr_other",
    modelAsked: "other",
    endpoint: "/v1/other",
    dialect: "GEMINI",
    streamed: false,
    ip: "192.0.2.9",
  };
  for (const [field, value] of Object.entries(others)) {
    const { journal } = await bench();
    journal.begin(begunCall(1));
    const ended = sampleCall(1, { [field]: value });
    journal.finish(ended);
    const read: CallRecord[] = [];
    await journal.read(START, 7, (record) => read.push(record));
    assert.deepEqual(read, [ended], field);
  }
});

test("a call that began and never finished is found after a kill; one that finished is not", async () => {
  const { disk, journal } = await bench();
  for (let i = 1; i <= 4; i++) journal.begin(begunCall(i));
  journal.finish(sampleCall(2));
  journal.finish(sampleCall(4));
  const next = await bench(disk.afterKill());
  assert.deepEqual(next.orphans, [callId(1), callId(3)]);
});

test("what a call that never finished had reserved is known after a kill, also from a file begun meanwhile", async () => {
  const { disk, journal } = await bench(new SimDisk(), { fileBytes: 1000 });
  const reserved = { inputTokens: 12, maxOutputTokens: 90_000, costMicros: 1_350_000 };
  journal.begin({ ...begunCall(1), reserved });
  for (let i = 2; i <= 9; i++) journal.finish(sampleCall(i));
  assert.ok(disk.files.size > 1);
  const { recovered } = await openJournal(
    { disk: disk.afterKill(), clock: new FakeClock(), logger: keptLog() },
    { file: journal.end.file, offset: 0 },
  );
  assert.deepEqual(recovered.orphans, [{ ...begunCall(1), reserved }]);
});

test("a file of a Latchkey that did not write what is reserved is read, with nothing reserved", async () => {
  const { id, startedAt, clientKeyId, clientKeyKind, ownerId, ...rest } = begunCall(1);
  const { modelAsked, endpoint, dialect, streamed, ip } = rest;
  const who = [id, startedAt, clientKeyId, clientKeyKind, ownerId];
  const json = JSON.stringify([...who, modelAsked, endpoint, dialect, streamed, ip]);
  const { bytes: header, seed } = encodeHeader(1, new FakeClock().now());
  const payload = Buffer.from(`B${json}`);
  const head = Buffer.alloc(8);
  head.writeUInt32LE(payload.length, 0);
  head.writeUInt32LE(crc32(payload, seed), 4);
  const disk = new SimDisk();
  const file = Buffer.concat([header, head, payload]);
  disk.append(disk.create(journalName(1)), file, { done: 0, length: file.length });
  const { recovered } = await openJournal(
    { disk, clock: new FakeClock(), logger: keptLog() },
    undefined,
  );
  const reserved = { inputTokens: 0, maxOutputTokens: 0, costMicros: 0 };
  assert.deepEqual(recovered.orphans, [{ ...begunCall(1), reserved }]);
});

test("a cut of the file at any byte leaves every whole record before it readable", async () => {
  const { disk, journal } = await bench();
  const ends: number[] = [];
  for (let i = 1; i <= 3; i++) ends.push(journal.finish(sampleCall(i)).offset);
  const name = [...disk.files.keys()][0]!;
  for (let cut = 0; cut <= ends[2]!; cut++) {
    const next = await bench(disk.withCut(name, cut));
    const whole = ends.filter((end) => end <= cut).length;
    assert.deepEqual(await readAll(next.journal), ids(whole), `cut at ${cut}`);
    const clean = cut === 0 || [HEADER_BYTES, ...ends].includes(cut);
    assert.equal(next.torn, clean ? 0 : 1, `cut at ${cut}`);
    next.journal.finish(sampleCall(9));
    assert.deepEqual(await readAll(next.journal), [...ids(whole), callId(9)]);
  }
});

test("after a power cut at a random byte what was synced is there and the rest is a prefix", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom("write", "write", "write", "sync"), { maxLength: 40, size: "max" }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      async (steps, kept) => {
        const { disk, journal } = await bench(new SimDisk(), { fileBytes: 4000 });
        let [written, synced] = [0, 0];
        for (const step of steps) {
          if (step === "write") journal.finish(sampleCall(++written));
          else {
            await journal.synced(journal.end);
            synced = written;
          }
        }
        // Only the newest file has unsynced bytes once all files were synced together.
        const next = await bench(disk.afterPowerCut((bytes) => Math.floor(bytes * kept)));
        const found = await readAll(next.journal);
        const safe = new Set(found);
        for (const id of ids(synced)) assert.ok(safe.has(id));
        assert.ok(found.length <= written);
      },
    ),
    { numRuns: 100 },
  );
});

test("a torn file keeps its place aside when its good part is recorded; whole ones are removed", async () => {
  const { disk, journal } = await bench();
  journal.finish(sampleCall(1));
  const { offset } = journal.finish(sampleCall(2));
  const cut = await bench(disk.withCut("journal-000001.log", offset - 5));
  assert.deepEqual(await readAll(cut.journal), [callId(1)]);
  await cut.journal.release(cut.journal.end);
  assert.deepEqual([...cut.disk.files.keys()].toSorted(), [
    "journal-000001.torn",
    "journal-000002.log",
  ]);
  const third = await bench(cut.disk.afterKill());
  await third.journal.release(third.journal.end);
  assert.deepEqual([...third.disk.files.keys()].toSorted(), [
    "journal-000001.torn",
    "journal-000003.log",
  ]);
});

test("of torn files the newest are kept aside, and nothing else is removed for them", async () => {
  const { disk, journal } = await bench();
  const { offset } = journal.finish(sampleCall(1));
  journal.finish(sampleCall(2));
  const torn = disk.withCut("journal-000001.log", offset + 5);
  for (const number of [2, 3, 4, 5, 6]) torn.files.set(`journal-00000${number}.torn`, emptyFile());
  torn.files.set("else.torn", emptyFile());
  const cut = await bench(torn);
  await cut.journal.release(cut.journal.end);
  assert.deepEqual([...torn.files.keys()].toSorted(), [
    "else.torn",
    "journal-000002.log",
    "journal-000003.torn",
    "journal-000004.torn",
    "journal-000005.torn",
    "journal-000006.torn",
  ]);
});

test("files roll at their size, are read in order across files, and carry the open calls with them", async () => {
  const { disk, journal } = await bench(new SimDisk(), { fileBytes: 2000 });
  journal.begin(begunCall(500));
  for (let i = 1; i <= 30; i++) journal.finish(sampleCall(i));
  assert.ok(disk.files.size > 5);
  assert.deepEqual(await readAll(journal), ids(30));
  await journal.release(journal.end);
  assert.equal(disk.files.size, 1);
  const next = await bench(disk.afterKill());
  assert.deepEqual(next.orphans, [callId(500)], "though the file with its begin is gone");
});

test("a file number is never used again, not even when all files are gone", async () => {
  const disk = new SimDisk();
  const { journal } = await openJournal(
    { disk, clock: new FakeClock(), logger: keptLog() },
    { file: 41, offset: 5000 },
  );
  assert.equal(journal.end.file, 42);
});

test("files that the database holds whole are removed at the start", async () => {
  const first = await bench();
  first.journal.finish(sampleCall(1));
  const second = await bench(first.disk.afterKill());
  const end = second.journal.finish(sampleCall(2));
  const disk = second.disk.afterKill();
  const third = await openJournal({ disk, clock: new FakeClock(), logger: keptLog() }, end);
  assert.deepEqual([...disk.files.keys()], ["journal-000002.log", "journal-000003.log"]);
  assert.deepEqual(await readAll(third.journal, end), []);
});

test("a full disk refuses records cleanly and takes them again when there is space", async () => {
  const { disk, journal, log } = await bench();
  journal.finish(sampleCall(1));
  disk.capacityBytes = disk.usedBytes + 50;
  assert.throws(() => journal.finish(sampleCall(2)), refusal);
  assert.throws(() => journal.begin(begunCall(3)), refusal);
  assert.equal(journal.stats.failing, true);
  disk.capacityBytes = Number.POSITIVE_INFINITY;
  journal.finish(sampleCall(4));
  assert.equal(journal.stats.failing, false);
  assert.deepEqual(await readAll(journal), [callId(1), callId(4)]);
  assert.equal(disk.files.size, 1, "the same file goes on");
  assert.deepEqual(
    log.lines.map((line) => line.level),
    ["error", "info"],
  );
  const next = await bench(disk.afterKill());
  assert.deepEqual(await readAll(next.journal), [callId(1), callId(4)]);
});

test("a disk that has space again is noticed although no call comes", async () => {
  const { disk, journal, clock, log } = await bench();
  journal.begin(begunCall(1));
  disk.capacityBytes = disk.usedBytes;
  assert.throws(() => journal.finish(sampleCall(2)), refusal);
  clock.advance(5000);
  assert.equal(journal.stats.failing, true);
  disk.capacityBytes = Number.POSITIVE_INFINITY;
  clock.advance(1000);
  assert.equal(journal.stats.failing, false);
  journal.finish(sampleCall(1));
  assert.deepEqual(await readAll(journal), [callId(1)]);
  assert.deepEqual(
    log.lines.map((line) => line.level),
    ["error", "info"],
  );
  await journal.close();
  assert.equal(clock.pending, 0);
});

test("a torn write that cannot be undone retires the file; nothing is written behind the tear", async () => {
  const { disk, journal, clock } = await bench();
  journal.finish(sampleCall(1));
  disk.appendError = "ENOSPC";
  disk.tornBytes = 50;
  disk.truncateFails = true;
  assert.throws(() => journal.finish(sampleCall(2)), refusal);
  disk.appendError = undefined;
  clock.advance(1000);
  journal.finish(sampleCall(3));
  assert.deepEqual([...disk.files.keys()], ["journal-000001.log", "journal-000002.log"]);
  assert.deepEqual(await readAll(journal), [callId(1), callId(3)]);
  assert.deepEqual(await readAll((await bench(disk.afterKill())).journal), [callId(1), callId(3)]);
});

test("after an input/output error a new file begins, and is tried at most once a second", async () => {
  const { disk, journal, clock } = await bench();
  disk.appendError = "EIO";
  assert.throws(() => journal.finish(sampleCall(1)), refusal);
  const created: number[] = [];
  const create = disk.create.bind(disk);
  disk.create = (name) => {
    created.push(clock.monotonic());
    return create(name);
  };
  for (let ms = 0; ms < 5000; ms += 10) {
    assert.throws(() => journal.finish(sampleCall(2)), refusal);
    clock.advance(10);
  }
  assert.deepEqual(created, [0, 1000, 2000, 3000, 4000, 5000]);
  await settle();
  assert.deepEqual([...disk.files.keys()], ["journal-000001.log"], "failed files are removed");
  disk.appendError = undefined;
  clock.advance(1000);
  journal.finish(sampleCall(3));
  assert.deepEqual(await readAll(journal), [callId(3)]);
});

test("a disk that refuses the first file does not stop the start", async () => {
  const disk = new SimDisk();
  disk.createError = "EROFS";
  const { journal, clock } = await bench(disk);
  assert.throws(() => journal.finish(sampleCall(1)), refusal);
  disk.createError = undefined;
  clock.advance(1000);
  journal.finish(sampleCall(2));
  assert.deepEqual(await readAll(journal), [callId(2)]);
});

test("of calls that a disk did not take, those that run on are known after a kill, and those that ended are not", async () => {
  const disk = new SimDisk();
  disk.createError = "EROFS";
  const { journal, clock } = await bench(disk);
  for (const number of [1, 2]) {
    const begun = { kind: "BEGUN", call: begunCall(number) } as const;
    assert.throws(() => journal.append([begun]), refusal);
  }
  assert.throws(() => journal.finish(sampleCall(2)), refusal);
  disk.createError = undefined;
  clock.advance(1000);
  journal.finish(sampleCall(3));
  const next = await bench(disk.afterKill());
  assert.deepEqual(next.orphans, [callId(1)]);
});

test("syncs come in groups: one per interval, however many records", async () => {
  const { disk, journal, clock } = await bench();
  await clock.run(100);
  const before = disk.syncs;
  for (let i = 1; i <= 100; i++) journal.finish(sampleCall(i));
  await clock.run(500);
  assert.equal(disk.syncs, before + 1);
  assert.equal(journal.stats.unsyncedBytes, 0);
  await clock.run(500);
  assert.equal(disk.syncs, before + 1, "nothing new, no sync");
});

test("whoever waits for a sync shares it with all who came before it began", async () => {
  const { disk, journal } = await bench();
  disk.holdSyncs = true;
  const done: number[] = [];
  const wait = (number: number): Promise<void> => {
    const position = journal.finish(sampleCall(number));
    return journal.synced(position).then(() => void done.push(number));
  };
  const first = wait(1);
  await settle();
  const others = [2, 3, 4].map(wait);
  await settle();
  assert.deepEqual(done, []);
  disk.releaseSyncs();
  await first;
  assert.deepEqual(done, [1], "the running sync began before the others were written");
  await settle();
  disk.releaseSyncs();
  await Promise.all(others);
  assert.equal(disk.syncs, 2);
});

test("a failed sync fails its waiters, retires the file and is never tried on it again", async () => {
  const { disk, journal, clock } = await bench();
  const position = journal.finish(sampleCall(1));
  disk.syncFailures = 1;
  await assert.rejects(journal.synced(position), refusal);
  clock.advance(1000);
  const next = journal.finish(sampleCall(2));
  assert.equal(next.file, position.file + 1);
  await journal.synced(next);
  assert.deepEqual(await readAll(journal), ids(2));
  assert.equal(disk.openHandles, 1);
});

test("closing syncs what is unsynced, closes every handle and refuses more", async () => {
  const { disk, journal } = await bench(new SimDisk(), { fileBytes: 2000 });
  for (let i = 1; i <= 10; i++) journal.finish(sampleCall(i));
  await journal.close();
  assert.equal(disk.openHandles, 0);
  assert.throws(() => journal.finish(sampleCall(11)), refusal);
  const next = await bench(disk.afterPowerCut(() => 0));
  assert.deepEqual(await readAll(next.journal), ids(10));
});

test("a journal of a newer version is not touched", async () => {
  const { disk, journal } = await bench();
  journal.finish(sampleCall(1));
  const { bytes } = disk.files.get("journal-000001.log")!;
  bytes.writeUInt32LE(2, 4);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 20)), 20);
  await assert.rejects(
    bench(disk.afterKill()),
    (error) => error instanceof Fault && error.code === "database_newer",
  );
});

test("a journal that cannot be read stops the start with a sentence that names it", async () => {
  const { disk, journal } = await bench();
  journal.finish(sampleCall(1));
  const next = disk.afterKill();
  next.readError = "EIO";
  await assert.rejects(
    bench(next),
    (error) =>
      error instanceof Fault &&
      error.code === "data_folder_unusable" &&
      error.publicMessage.includes("journal-000001.log"),
  );
});
