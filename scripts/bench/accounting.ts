// `npm run bench -- accounting`: what a call costs in the accounting, and how fast the database takes the journal in.
import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { setTimeout } from "node:timers/promises";
import type { BegunCall, CallEntry, CallRecord } from "../../server/core/call.js";
import { systemClock } from "../../server/core/clock.js";
import { openAccounting, type Accounting } from "../../server/metering/accounting.js";
import { nodeJournalDisk } from "../../server/metering/journal-disk.js";
import { openJournal } from "../../server/metering/journal.js";
import { BATCH_CALLS_MAX } from "../../server/metering/recorder.js";
import { EMPTY_POOL } from "../../server/metering/snapshot.js";
import type { LedgerBatch, LedgerStore } from "../../server/metering/ports.js";
import { openStorage, type Storage } from "../../server/storage/open.js";
import { SILENT } from "./ledger-rows.js";
import { MadeCalls } from "./made-calls.js";
import { figures, numberOption, printTable } from "./table.js";

const USAGE = `npm run bench -- accounting [--calls 200000 --rounds 3 --running 32]

Measures, round by round: CPU per call of begin and finish with the journal alone and with the database behind it, which
keeps up, and how many calls a second a database takes in from a journal that a process left.
`;
/** Calls that are made before anything is measured. */
const WARM_UP_CALLS = 20_000;
/** Calls that wait for the database before the next ones are made, and for how long. */
const PENDING_MAX = 2 * BATCH_CALLS_MAX;
const WAIT_MS = 5;
const START_MS = Date.UTC(2026, 0, 15);

interface Round {
  readonly journalMicros: number;
  readonly wholeMicros: number;
  readonly drainedPerSecond: number;
  readonly drainMicros: number;
}

/** Runs the benchmark that `argv` describes and prints its table. */
export async function main(argv: readonly string[]): Promise<void> {
  if (argv.includes("--help")) {
    process.stdout.write(USAGE);
    return;
  }
  const calls = numberOption(argv, "calls", 200_000);
  const rounds = numberOption(argv, "rounds", 3);
  const running = numberOption(argv, "running", 32);
  await round(WARM_UP_CALLS, running);
  const all: Round[] = [];
  for (let i = 0; i < rounds; i++) all.push(await round(calls, running));
  const row = (what: string, of: (each: Round) => number) => [what, ...figures(all.map(of))];
  printTable(
    ["", "median", "least", "most"],
    [
      row("begin and finish, journal alone, µs CPU a call", (each) => each.journalMicros),
      row("begin and finish, database too, µs CPU a call", (each) => each.wholeMicros),
      row("journal into the database, calls/s", (each) => each.drainedPerSecond),
      row("journal into the database, µs CPU a call", (each) => each.drainMicros),
    ],
  );
}

async function round(calls: number, running: number): Promise<Round> {
  const madeMicros = await perCall(calls, running, () => undefined);
  const journalMicros = await inFolder((folder) => appended(folder, calls, running));
  const wholeMicros = await inFolder((folder) => accounted(folder, calls, running));
  const drain = await inFolder((folder) => drained(folder, calls));
  return {
    journalMicros: journalMicros - madeMicros,
    wholeMicros: wholeMicros - madeMicros,
    ...drain,
  };
}

/** CPU per call of an accounting whose database takes everything at once. */
async function appended(folder: string, calls: number, running: number) {
  const accounting = await accountingOf(folder, {
    appendCalls: (batch) => Promise.resolve(batch.length),
    newBatch: noBatch,
    journalPosition: () => Promise.resolve(undefined),
    getCall: () => Promise.resolve(undefined),
    listCalls: () => Promise.reject(new Error("nothing is listed")),
    usage: () => Promise.resolve([]),
    countActive: () => Promise.resolve({ clientKeys: 0, providerKeys: 0, owners: 0 }),
    pruneCalls: () => Promise.resolve(0),
  });
  return callsThrough(accounting, calls, running);
}

function noBatch(): LedgerBatch {
  let size = 0;
  return {
    get size() {
      return size;
    },
    add: () => {
      size += 1;
    },
    append: () => Promise.resolve(size),
  };
}

/** CPU per call of everything: journal, meter and database. */
async function accounted(folder: string, calls: number, running: number) {
  const storage = await storageIn(folder);
  try {
    return await callsThrough(await accountingOf(folder, storage.ledger), calls, running);
  } finally {
    await storage.close();
  }
}

async function callsThrough(
  accounting: Accounting,
  calls: number,
  running: number,
): Promise<number> {
  const micros = await perCall(calls, running, (entries) => {
    void accounting.sink.write(entries);
    accounting.sink.count();
    // A server's calls come no faster than the database takes them.
    return accounting.status.recorder.pendingCalls > PENDING_MAX;
  });
  const began = process.cpuUsage();
  await accounting.caughtUp();
  if (!(await accounting.close())) throw new Error("the database did not take all");
  return micros + microsSince(began) / calls;
}

/** CPU per call of making calls that begin and end, `running` at a time; waits while `take` says that it is too much. */
async function perCall(
  calls: number,
  running: number,
  take: (entries: readonly CallEntry[]) => boolean | undefined,
): Promise<number> {
  const made = new MadeCalls(calls);
  const began = process.cpuUsage();
  for (let at = 0; at < calls; at += running) {
    const records = callsFrom(made, at, Math.min(running, calls - at));
    take(records.map((record) => ({ kind: "BEGUN", call: begunOf(record) })));
    await turn();
    const tooMuch = take(records.map((record) => ({ kind: "FINISHED", record })));
    if (tooMuch === true) await setTimeout(WAIT_MS);
    else await turn();
  }
  return microsSince(began) / calls;
}

function callsFrom(made: MadeCalls, at: number, count: number): readonly CallRecord[] {
  return Array.from({ length: count }, (_, i) => made.next(START_MS + (at + i) * 2));
}

/** How fast a database takes in what a process left in the journal. */
async function drained(folder: string, calls: number) {
  const disk = nodeJournalDisk(path.join(folder, "journal"));
  const { journal } = await openJournal({ disk, clock: systemClock, logger: SILENT }, undefined);
  for (const record of callsFrom(new MadeCalls(calls), 0, calls)) {
    journal.begin(begunOf(record));
    journal.finish(record);
  }
  await journal.close();
  const storage = await storageIn(folder);
  const began = process.cpuUsage();
  const beganMs = performance.now();
  const accounting = await accountingOf(folder, storage.ledger);
  const seconds = (performance.now() - beganMs) / 1000;
  const drainMicros = microsSince(began) / calls;
  const { recordedCalls } = accounting.status.recorder;
  if (recordedCalls !== calls) throw new Error(`${recordedCalls} calls were recorded`);
  await accounting.close();
  await storage.close();
  return { drainedPerSecond: calls / seconds, drainMicros };
}

function accountingOf(folder: string, ledger: LedgerStore): Promise<Accounting> {
  return openAccounting({
    ledger,
    disk: nodeJournalDisk(path.join(folder, "journal")),
    clock: systemClock,
    logger: SILENT,
    policy: () => "besteffort",
    durability: () => "RELAXED",
    poolSummary: () => EMPTY_POOL,
    ownPoolSummary: () => EMPTY_POOL,
    nameOf: () => undefined,
  });
}

function storageIn(folder: string): Promise<Storage> {
  return openStorage({
    dataFolder: folder,
    clock: systemClock,
    logger: SILENT,
    onCommit: () => undefined,
    auditMac: () => null,
  });
}

async function inFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(path.join(os.tmpdir(), "latchkey-bench-"));
  try {
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What the gateway knows when a call begins. */
function begunOf(record: CallRecord): BegunCall {
  const { id, startedAt, clientKeyId, clientKeyKind, ownerId } = record;
  const { modelAsked, endpoint, dialect, streamed, ip } = record;
  return {
    id,
    startedAt,
    clientKeyId,
    clientKeyKind,
    ownerId,
    modelAsked,
    endpoint,
    dialect,
    streamed,
    ip,
    reserved: { inputTokens: 812, maxOutputTokens: 4096, costMicros: 2600 },
  };
}

function microsSince(began: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(began);
  return user + system;
}

function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
