import { ALL_USAGE } from "../../server/core/usage.js";
import type { Storage } from "../../server/storage/open.js";
import { DAY_MS } from "../../server/core/durations.js";
import { clientKeyId } from "./made-calls.js";

/** How long others waited for the writer meanwhile, milliseconds. */
export interface Waits {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly mostMs: number;
}

/** Something that was deleted. */
export interface Forgotten {
  readonly what: string;
  readonly rows: number;
  readonly seconds: number;
  readonly waits: Waits;
}

/** One call in a hundred or so belongs to it. */
const DELETED_KEY = clientKeyId(20);
const CALL_DAYS = 30;
const MINUTE_DAYS = 7;
const HOUR_DAYS = 30;
const BATCH_ROWS = 1000;
const STEP_PAUSE_MS = 5;

/** Deletes a client key, then what is too old; throws when a sum is not what it must be. */
export async function forget(storage: Storage, nowMs: number): Promise<readonly Forgotten[]> {
  const { ledger } = storage;
  const before = await callsByKey(storage, nowMs);
  const deleted = await measured(storage, "a client key's calls and roll-ups", async () => {
    await storage.keys.write((tx) => tx.clientKeys.delete(DELETED_KEY));
    await ledger.sweep();
    return before.get(DELETED_KEY) ?? 0;
  });
  const after = await callsByKey(storage, nowMs);
  before.delete(DELETED_KEY);
  mustEqual(after, before, "the other keys' roll-ups");
  await mustHaveNone(storage);
  const calls = await measured(storage, `calls older than ${CALL_DAYS} d`, () =>
    ledger.pruneCalls(nowMs - CALL_DAYS * DAY_MS, BATCH_ROWS),
  );
  const rollups = await measured(storage, "old roll-ups", () =>
    ledger.pruneRollups(
      {
        minutesBeforeMs: nowMs - MINUTE_DAYS * DAY_MS,
        hoursBeforeMs: nowMs - HOUR_DAYS * DAY_MS,
        daysBeforeMs: 0,
      },
      BATCH_ROWS,
    ),
  );
  mustEqual(await callsByKey(storage, nowMs), before, "roll-ups after the retention");
  return [deleted, calls, rollups];
}

/** Writes something small over and over while `work` runs. */
async function measured(
  storage: Storage,
  what: string,
  work: () => Promise<number>,
): Promise<Forgotten> {
  const waited: number[] = [];
  const done = new AbortController();
  const writing = (async () => {
    while (!done.signal.aborted) {
      const beganMs = performance.now();
      await storage.keys.write((tx) => tx.settings.put("bench", "1"));
      waited.push(performance.now() - beganMs);
      await new Promise((resolve) => setTimeout(resolve, STEP_PAUSE_MS));
    }
  })();
  const beganMs = performance.now();
  const rows = await work();
  const seconds = (performance.now() - beganMs) / 1000;
  done.abort();
  await writing;
  const sorted = waited.toSorted((a, b) => a - b);
  const at = (share: number): number => sorted[Math.floor((sorted.length - 1) * share)] ?? 0;
  return { what, rows, seconds, waits: { p50Ms: at(0.5), p99Ms: at(0.99), mostMs: at(1) } };
}

async function callsByKey(storage: Storage, nowMs: number): Promise<Map<string, number>> {
  const range = { fromMs: nowMs - 3650 * DAY_MS, toMs: nowMs + DAY_MS };
  const rows = await storage.ledger.usage({
    ...range,
    ...ALL_USAGE,
    bucket: "ALL",
    groupBy: "CLIENT_KEY",
  });
  return new Map(rows.map(({ group, calls }) => [group, calls]));
}

async function mustHaveNone(storage: Storage): Promise<void> {
  const { items } = await storage.ledger.listCalls({
    conditions: [{ field: "clientKeyId", op: "=", value: DELETED_KEY }],
    text: "",
    orderBy: "",
    descending: true,
    pageSize: 1,
    pageToken: "",
  });
  if (items.length > 0) throw new Error("the deleted client key still has calls");
}

function mustEqual(
  found: ReadonlyMap<string, number>,
  wanted: ReadonlyMap<string, number>,
  what: string,
): void {
  const wrong = [...wanted].filter(([key, calls]) => found.get(key) !== calls);
  if (wrong.length > 0 || found.size !== wanted.size) {
    throw new Error(`${what} are wrong: ${JSON.stringify(wrong.slice(0, 5))}`);
  }
}
