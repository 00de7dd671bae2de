// `npm run bench -- ledger`: a database of many calls, every question that is asked of it, and how it forgets.
import { mkdtempSync, rmSync, statSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { systemClock } from "../../server/core/clock.js";
import { UsageReports } from "../../server/metering/usage.js";
import { openStorage, type Storage } from "../../server/storage/open.js";
import { forget } from "./ledger-forgetting.js";
import { DAY_MS } from "../../server/core/durations.js";
import { fill, SILENT } from "./ledger-rows.js";
import { ask, type Answer } from "./ledger-questions.js";
import { numberOption, printTable, shown, textOption } from "./table.js";

const USAGE = `npm run bench -- ledger [--rows 1000000 --days 60 --rate 0 --seconds 600 --slow 100 --data FOLDER --questions-only --only TEXT]

Fills a database with calls spread over some days, at most --rate a second (0: as fast as it goes), asks every question
of the usage reports and the call log, and prints how long each took. Then deletes a client key and what is older than
the retention while others write, and prints how long they waited. --data keeps the database and takes it up again, so
that a large one can be filled bit by bit, --seconds at a time. --only asks the questions that have the text in them.
Fails when the median time of an answer is above --slow milliseconds, one writer in a hundred waits longer than 50, or
a sum is wrong.
`;
const WRITER_WAIT_MAX_MS = 50;

/** Runs the benchmark that `argv` describes and prints its tables. */
export async function main(argv: readonly string[]): Promise<void> {
  if (argv.includes("--help")) {
    process.stdout.write(USAGE);
    return;
  }
  const rows = numberOption(argv, "rows", 1_000_000);
  const days = numberOption(argv, "days", 60);
  const slowMs = numberOption(argv, "slow", 100);
  const kept = textOption(argv, "data");
  const folder = kept ?? mkdtempSync(path.join(os.tmpdir(), "latchkey-ledger-"));
  // The calls end on a day of their own, so that a folder that is taken up again is as old as it was.
  let nowMs = Date.UTC(2026, 5, 30, 12, 34, 56);
  const clock = { ...systemClock, now: () => nowMs };
  const storage = await openStorage({
    dataFolder: folder,
    clock,
    logger: SILENT,
    onCommit: () => undefined,
    auditMac: () => null,
  });
  const slow: string[] = [];
  try {
    const rate = numberOption(argv, "rate", 0);
    const seconds = numberOption(argv, "seconds", Number.POSITIVE_INFINITY);
    nowMs = await fill(storage, {
      rows,
      fromMs: nowMs - days * DAY_MS,
      toMs: nowMs,
      rate,
      seconds,
    });
    printSize(folder);
    const usage = new UsageReports({ ledger: storage.ledger, clock });
    const answers = await ask({ ledger: storage.ledger, usage }, nowMs, textOption(argv, "only"));
    printAnswers(answers, slowMs);
    slow.push(
      ...answers.filter(({ medianMs }) => medianMs > slowMs).map(({ question }) => question),
    );
    if (!argv.includes("--questions-only")) slow.push(...(await forgetting(storage, nowMs)));
  } finally {
    await storage.close();
    if (kept === undefined) rmSync(folder, { recursive: true, force: true });
  }
  if (slow.length === 0) return;
  process.stdout.write(`\ntoo slow: ${slow.join("; ")}\n`);
  process.exitCode = 1;
}

function printSize(folder: string): void {
  const bytes = statSync(path.join(folder, "latchkey.db")).size;
  process.stdout.write(`latchkey.db has ${shown(bytes / 2 ** 20)} MiB\n\n`);
}

function printAnswers(answers: readonly Answer[], slowMs: number): void {
  printTable(
    ["question", "first ms", "median", "worst", "CPU ms", "rows", ""],
    answers.map(({ question, firstMs, medianMs, worstMs, cpuMs, rows }) => [
      question,
      shown(firstMs),
      shown(medianMs),
      shown(worstMs),
      shown(cpuMs),
      String(rows),
      medianMs > slowMs ? "slow" : "",
    ]),
  );
}

async function forgetting(storage: Storage, nowMs: number): Promise<readonly string[]> {
  const forgotten = await forget(storage, nowMs);
  process.stdout.write("\n");
  printTable(
    ["", "rows", "seconds", "writers waited ms, p50", "p99", "most"],
    forgotten.map(({ what, rows, seconds, waits }) => [
      what,
      shown(rows),
      shown(seconds),
      shown(waits.p50Ms),
      shown(waits.p99Ms),
      shown(waits.mostMs),
    ]),
  );
  return forgotten.filter(({ waits }) => waits.p99Ms > WRITER_WAIT_MAX_MS).map(({ what }) => what);
}
