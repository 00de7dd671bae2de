/**
 * Writes to the data folder in its argument until it is killed. After each commit it prints what is now
 * promised to be there: `user <id>` or `calls <batch>`.
 */
import { writeSync } from "node:fs";
import { systemClock } from "../../server/core/clock.js";
import { openStorage } from "../../server/storage/open.js";
import { auditDraft, silent, START_MS, user } from "./fixture.js";
import { call } from "./ledger-fixture.js";

const [folder = "", round = "0"] = process.argv.slice(2);
const storage = await openStorage({
  dataFolder: folder,
  clock: systemClock,
  logger: silent,
  onCommit() {},
  auditMac: () => null,
});
writeSync(1, "open\n");

async function changeUsers(): Promise<never> {
  for (let n = 0; ; n++) {
    const made = user(`usr_${round}_${n}`);
    await storage.keys.write(async (tx) => {
      await tx.users.insert(made);
      await tx.audit.append(auditDraft({ targetId: made.id }));
    });
    writeSync(1, `user ${made.id}\n`);
  }
}

async function recordCalls(): Promise<never> {
  // The journal goes on where the database has it, as the recorder does after a crash.
  let batch = ((await storage.ledger.journalPosition())?.offset ?? -1) + 1;
  for (; ; batch++) {
    const calls = Array.from({ length: 20 }, (_, n) => {
      const number = batch * 20 + n;
      return call(number, {
        startedAt: START_MS + number * 900,
        clientKeyId: `ck_${number % 3}`,
      });
    });
    await storage.ledger.appendCalls(calls, { file: 1, offset: batch });
    writeSync(1, `calls ${batch}\n`);
  }
}

await Promise.all([changeUsers(), recordCalls()]);
