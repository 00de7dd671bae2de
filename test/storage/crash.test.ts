import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { test } from "node:test";
import { ALL_USAGE } from "../../server/core/usage.js";
import type { Storage } from "../../server/storage/open.js";
import { opened, query, START_MS, tempFolder } from "./fixture.js";

const KILLS = 20;
/** Lines that a child prints before it is killed; 0 kills it while it opens and migrates. */
const LINES_BEFORE_KILL = [0, 1, 2, 5, 13, 30, 60];

const child = path.join(import.meta.dirname, "crash-child.js");

/** Runs a child until it has printed so many lines, kills it, and returns all it printed. */
async function runAndKill(folder: string, round: number): Promise<string[]> {
  const running = spawn(process.execPath, [child, folder, String(round)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const wanted = LINES_BEFORE_KILL[round % LINES_BEFORE_KILL.length] ?? 1;
  let text = "";
  const exited = once(running, "exit");
  running.stdout.setEncoding("utf8");
  running.stdout.on("data", (chunk: string) => {
    text += chunk;
    if (text.split("\n").length > wanted) running.kill("SIGKILL");
  });
  // With 0 lines the child dies somewhere in its start, a little later every time.
  if (wanted === 0) setTimeout(() => running.kill("SIGKILL"), 150 + round * 20);
  const [, signal] = (await exited) as [number | null, string | null];
  assert.equal(signal, "SIGKILL");
  return text.split("\n").slice(0, -1);
}

async function checkWhole(storage: Storage, promised: readonly string[]): Promise<void> {
  await storage.checkIntegrity();
  const users = new Set((await storage.keys.read.users.all()).map((user) => user.id));
  const audit = await storage.auditTrail.verify();
  assert.equal(audit.ok, true, audit.reason);
  assert.equal(audit.checked, users.size, "a user without its audit event, or the reverse");
  assert.equal(await storage.changes.lastSeq(), users.size);

  const position = (await storage.ledger.journalPosition())?.offset ?? -1;
  const [usage] = await storage.ledger.usage({
    fromMs: START_MS - 60_000,
    toMs: START_MS + 10 ** 10,
    bucket: "ALL",
    groupBy: "NONE",
    ...ALL_USAGE,
  });
  const { total } = await storage.ledger.listCalls(query({ pageSize: 1 }));
  assert.equal(total, Math.min((position + 1) * 20, 10_001), "calls and journal position differ");
  assert.equal(usage?.calls ?? 0, (position + 1) * 20, "roll-ups and journal position differ");

  for (const line of promised) {
    const [noun, what = ""] = line.split(" ");
    if (noun === "user") assert.ok(users.has(what), `${what} was acknowledged and is lost`);
    if (noun === "calls") assert.ok(Number(what) <= position, `calls ${what} are lost`);
  }
}

test("kill -9 at any moment loses nothing acknowledged and leaves nothing half", async (t) => {
  const folder = await tempFolder(t);
  const promised: string[] = [];
  for (let round = 0; round < KILLS; round++) {
    promised.push(...(await runAndKill(folder, round)));
    // No clean-up by hand: the next server opens the folder at once.
    const { storage } = await opened(t, { dataFolder: folder });
    await checkWhole(storage, promised);
    await storage.close();
  }
  assert.ok(promised.length > KILLS, `${promised.length}`);
});
