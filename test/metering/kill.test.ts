import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";
import type { CallRecord } from "../../server/core/call.js";
import { openAccounting } from "../../server/metering/accounting.js";
import { nodeJournalDisk } from "../../server/metering/journal-disk.js";
import { EMPTY_POOL } from "../../server/metering/snapshot.js";
import { FakeClock } from "../support/fake-clock.js";
import { allCalls, openRealStorage, rollupTotal } from "./real-ledger.js";
import { begunCall, keptLog } from "./sample-calls.js";

/** More for a thorough run. */
const KILLS = Number(process.env["LATCHKEY_KILLS"] ?? 20);
const CALLS_PER_RUN_MAX = 10_000_000;
/** Turns of the child's loop before it is killed: from before its first batch, be it full or due, to after it. */
const TURNS_MAX = 300;

const child = fileURLToPath(new URL("kill-child.js", import.meta.url));

/** Runs the child until it has reported a random number of turns, then kills it where it happens to be. */
async function runAndKill(folder: string, run: number): Promise<void> {
  const turns = 1 + Math.floor(Math.random() * TURNS_MAX);
  const running = spawn(process.execPath, [child, folder, String(run * CALLS_PER_RUN_MAX)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let seen = 0;
  running.stdout.on("data", (chunk: Buffer) => {
    seen += chunk.length;
    if (seen >= turns) running.kill("SIGKILL");
  });
  const [code, signal] = (await once(running, "exit")) as [number | null, string | null];
  assert.equal(signal, "SIGKILL", `the child ended by itself with ${code}`);
}

/** What is checked of a call: there are millions. */
function kept({ id, status, errorCode, tokens }: CallRecord) {
  return { id, status, errorCode, inputTokens: tokens.input, outputTokens: tokens.output };
}

function linesOf(file: string): { begun: Set<string>; finished: Set<string> } {
  const lines = readFileSync(file, "utf8").split("\n");
  const of = (word: string): Set<string> =>
    new Set(lines.filter((line) => line.startsWith(word)).map((line) => line.split(" ")[1] ?? ""));
  return { begun: of("begin "), finished: of("finish ") };
}

test(`after ${KILLS} kills under load every finished call is recorded once, and every begun one has a row`, async (t) => {
  const folder = mkdtempSync(path.join(os.tmpdir(), "latchkey-kill-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  for (let run = 0; run < KILLS; run++) await runAndKill(folder, run);

  const storage = await openRealStorage(folder);
  const { ledger } = storage;
  t.after(() => storage.close());
  const accounting = await openAccounting({
    ledger,
    disk: nodeJournalDisk(path.join(folder, "journal")),
    clock: new FakeClock(),
    logger: keptLog(),
    policy: () => "besteffort",
    durability: () => "RELAXED",
    poolSummary: () => EMPTY_POOL,
    ownPoolSummary: () => EMPTY_POOL,
    nameOf: () => undefined,
  });
  assert.equal(await accounting.close(), true);

  const rows = await allCalls(ledger, kept);
  const calls = new Map(rows.map((call) => [call.id, call]));
  const { begun, finished } = linesOf(path.join(folder, "seen"));
  t.diagnostic(`${finished.size} finished and ${begun.size} begun calls, ${rows.length} rows`);
  assert.equal(rows.length, calls.size, "no call is there twice");
  const lost = [...finished].filter((id) => calls.get(id)?.status !== "SUCCESS");
  assert.deepEqual(lost, [], "finished calls that are missing, or recorded as cut short");
  const vanished = [...begun].filter((id) => !calls.has(id));
  assert.deepEqual(vanished, [], "begun calls without any row");
  const died = rows.filter((call) => call.errorCode === "process_died");
  assert.ok(died.length >= KILLS, "calls were running at each kill");
  const { inputTokens, maxOutputTokens } = begunCall(1).reserved;
  assert.ok(
    died.every((call) => call.inputTokens === inputTokens && call.outputTokens === maxOutputTokens),
    "a call that was running counts as having used what was reserved for it",
  );
  const total = await rollupTotal(ledger);
  assert.equal(total?.calls, rows.length, "roll-ups equal rows");
  assert.equal(total?.errors, died.length);
  assert.equal(
    total?.inputTokens,
    rows.reduce((sum, call) => sum + call.inputTokens, 0),
  );

  const journals = readdirSync(path.join(folder, "journal"));
  assert.ok(journals.length <= 6, `recorded journal files are removed: ${journals.join(" ")}`);
  for (const name of journals) {
    assert.equal(statSync(path.join(folder, "journal", name)).mode & 0o777, 0o600);
  }
});
