import type { CallRecord } from "../../server/core/call.js";
import { systemClock } from "../../server/core/clock.js";
import { ALL_USAGE, type UsageRow } from "../../server/core/usage.js";
import type { LedgerStore } from "../../server/metering/ports.js";
import { openStorage, type Storage } from "../../server/storage/open.js";
import { keptLog } from "./sample-calls.js";

/** The server's own database in a folder. */
export function openRealStorage(dataFolder: string, busyTimeoutMs = 5000): Promise<Storage> {
  return openStorage({
    refusesNested: true,
    dataFolder,
    clock: systemClock,
    logger: keptLog(),
    onCommit: () => undefined,
    auditMac: () => null,
    busyTimeoutMs,
  });
}

/** What is wanted of every call in the log, page by page. */
export async function allCalls<T>(
  ledger: LedgerStore,
  wanted: (call: CallRecord) => T,
): Promise<T[]> {
  const calls: T[] = [];
  let pageToken = "";
  do {
    const page = await ledger.listCalls({
      conditions: [],
      text: "",
      orderBy: "",
      descending: true,
      pageSize: 1000,
      pageToken,
    });
    for (const call of page.items) calls.push(wanted(call));
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return calls;
}

/** What the roll-ups say of all time. */
export async function rollupTotal(ledger: LedgerStore): Promise<UsageRow | undefined> {
  const range = { fromMs: Date.UTC(2026, 0, 1), toMs: Date.UTC(2030, 0, 1) };
  const [row] = await ledger.usage({ ...range, ...ALL_USAGE, bucket: "ALL", groupBy: "NONE" });
  return row;
}
