// A server's accounting under load, for kill.test.ts to kill. Arguments: folder, number of the first call.
import { openSync, writeSync } from "node:fs";
import path from "node:path";
import { systemClock } from "../../server/core/clock.js";
import { openAccounting } from "../../server/metering/accounting.js";
import { nodeJournalDisk } from "../../server/metering/journal-disk.js";
import { EMPTY_POOL } from "../../server/metering/snapshot.js";
import { settle } from "../support/fake-clock.js";
import { openRealStorage } from "./real-ledger.js";
import { begin, begunCall, callId, finish, keptLog, sampleCall } from "./sample-calls.js";

const [folder = "", first = "0"] = process.argv.slice(2);
const CALLS_PER_TURN = 20;

const storage = await openRealStorage(folder);
const accounting = await openAccounting({
  ledger: storage.ledger,
  disk: nodeJournalDisk(path.join(folder, "journal")),
  clock: systemClock,
  logger: keptLog(),
  policy: () => "besteffort",
  durability: () => "RELAXED",
  poolSummary: () => EMPTY_POOL,
  ownPoolSummary: () => EMPTY_POOL,
  nameOf: () => undefined,
  journalFileBytes: 256 * 1024,
  syncIntervalMs: 5,
});
// What the outside has seen: written after the accounting has answered, as a reply's last byte would be.
const seen = openSync(path.join(folder, "seen"), "a");

let next = Number(first);
for (;;) {
  const calls = Array.from({ length: CALLS_PER_TURN }, () => next++);
  for (const number of calls) {
    begin(accounting.sink, begunCall(number));
    writeSync(seen, `begin ${callId(number)}\n`);
  }
  await settle();
  // Every tenth call goes on when the turn is over, so that some are always running.
  for (const number of calls.filter((each) => each % 10 !== 0)) {
    finish(accounting.sink, sampleCall(number));
    writeSync(seen, `finish ${callId(number)}\n`);
  }
  process.stdout.write(".");
}
