import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import test from "node:test";
import type { CallRecord } from "../../server/core/call.js";
import { Fault } from "../../server/core/fault.js";
import { systemClock } from "../../server/core/clock.js";
import { openJournal } from "../../server/metering/journal.js";
import { nodeJournalDisk } from "../../server/metering/journal-disk.js";
import { keptLog, sampleCall } from "./sample-calls.js";

function folderFor(t: test.TestContext): string {
  const folder = mkdtempSync(path.join(os.tmpdir(), "latchkey-disk-"));
  t.after(() => {
    chmodSync(folder, 0o700);
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}

test("on a real disk records come back after a sync, a roll and a new start; only the owner can read them", async (t) => {
  const folder = path.join(folderFor(t), "journal");
  const options = { clock: systemClock, logger: keptLog(), fileBytes: 5000 };
  const first = await openJournal({ ...options, disk: nodeJournalDisk(folder) }, undefined);
  for (let i = 1; i <= 20; i++) await first.journal.synced(first.journal.finish(sampleCall(i)));
  await first.journal.close();
  const second = await openJournal({ ...options, disk: nodeJournalDisk(folder) }, undefined);
  const calls: CallRecord[] = [];
  await second.journal.read({ file: 0, offset: 0 }, 100, (record) => calls.push(record));
  assert.deepEqual(
    calls,
    Array.from({ length: 20 }, (_, i) => sampleCall(i + 1)),
  );
  assert.equal(statSync(folder).mode & 0o777, 0o700);
  assert.equal(statSync(path.join(folder, "journal-000001.log")).mode & 0o777, 0o600);
  await second.journal.close();
});

test("a folder that cannot be made is refused with its name", (t) => {
  const folder = folderFor(t);
  writeFileSync(path.join(folder, "file"), "");
  assert.throws(
    () => nodeJournalDisk(path.join(folder, "file", "journal")),
    (error) =>
      error instanceof Fault &&
      error.code === "data_folder_unusable" &&
      error.publicMessage.includes(folder),
  );
});
