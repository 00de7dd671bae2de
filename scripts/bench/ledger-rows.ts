import type { CallRecord } from "../../server/core/call.js";
import { DAY_MS, HOUR_MS } from "../../server/core/durations.js";
import { floorTo } from "../../server/core/multiples.js";
import type { Logger } from "../../server/core/logger.js";
import { ALL_USAGE } from "../../server/core/usage.js";
import type { Storage } from "../../server/storage/open.js";
import { clientKey, provider, providerKey, user } from "../../test/storage/fixture.js";
import { HourFiller } from "./ledger-hours.js";
import {
  CLIENT_KEYS,
  clientKeyId,
  MadeCalls,
  ownerId,
  OWNERS,
  PROVIDER_KEYS,
  providerId,
  providerKeyId,
  PROVIDERS,
} from "./made-calls.js";

/** More than the recorder takes at once, to be done sooner. */
const BATCH_CALLS = 5000;
const PRUNE_ROWS = 1000;
const SEED = 20_260_630;
const HOUSEKEEPING_BATCHES = 20;
/** The settings' own. */
const MINUTE_DAYS = 7;
const HOUR_DAYS = 90;

export const SILENT: Logger = { debug() {}, info() {}, warn() {}, error() {} };

/** What a database is filled with; times are milliseconds since the epoch. */
export interface Filling {
  readonly rows: number;
  readonly fromMs: number;
  readonly toMs: number;
  /** Calls a second at most; 0 for no limit. */
  readonly rate: number;
  /** Stops after so long. */
  readonly seconds: number;
}

/**
 * Records the users, keys and calls, or those of the calls that are missing; tells on standard error how far
 * it is. Returns the time of the newest call.
 */
export async function fill(storage: Storage, filling: Filling): Promise<number> {
  const { rows, fromMs, toMs, rate } = filling;
  const first = await countOf(storage);
  if (first === 0) await addNouns(storage);
  const stepMs = (toMs - fromMs) / rows;
  const made = new MadeCalls(SEED + first);
  const plan: Plan = {
    ...filling,
    first,
    beganMs: performance.now(),
    timeOf: (index) => fromMs + index * stepMs,
    make: (from, to) =>
      Array.from({ length: to - from }, (_, i) => made.next(fromMs + (from + i) * stepMs)),
  };
  // At a given rate calls come in as they do in a server; else whole hours are filled at once.
  const at = await fillBatches(storage, plan, rate > 0 ? first : await fillHours(storage, plan));
  const took = (performance.now() - plan.beganMs) / 1000;
  process.stderr.write(`${at} calls, ${Math.round((at - first) / took)} a second\n`);
  return plan.timeOf(at);
}

interface Plan extends Filling {
  /** Calls that were there. */
  readonly first: number;
  readonly beganMs: number;
  readonly timeOf: (index: number) => number;
  /** The calls from one place on and before another one. */
  readonly make: (from: number, to: number) => CallRecord[];
}

/** Fills whole hours, as far as there are; returns how many calls there are then. */
async function fillHours(storage: Storage, plan: Plan): Promise<number> {
  const { toMs, first, timeOf, make } = plan;
  // An hour is filled whole or not at all, so one that has been begun otherwise is not gone on with.
  if (first > 0 && floorTo(timeOf(first - 1), HOUR_MS) === floorTo(timeOf(first), HOUR_MS)) {
    return first;
  }
  const filler = new HourFiller(storage.file, {
    minutesBeforeMs: floorTo(toMs - MINUTE_DAYS * DAY_MS, HOUR_MS),
    hoursBeforeMs: floorTo(toMs - HOUR_DAYS * DAY_MS, DAY_MS),
  });
  await filler.start();
  let at = first;
  try {
    while (!isOver(plan)) {
      const { end, untilMs } = nextHours(plan, at);
      if (untilMs > toMs) break;
      await filler.add(make(at, end), untilMs, end);
      at = end;
      process.stderr.write(`${at} calls          \r`);
    }
  } finally {
    await filler.close();
  }
  return at;
}

/** The whole hours that hold some thousand calls, one at least: the place behind them, and when they end. */
function nextHours({ timeOf }: Plan, at: number): { end: number; untilMs: number } {
  const hourMs = floorTo(timeOf(at), HOUR_MS) + HOUR_MS;
  const untilMs = Math.max(hourMs, floorTo(timeOf(at + BATCH_CALLS), HOUR_MS));
  let end = at + 1;
  while (timeOf(end) < untilMs) end += 1;
  return { end, untilMs };
}

/** Fills as the recorder does, from the place given on; returns how many calls there are then. */
async function fillBatches(storage: Storage, plan: Plan, from: number): Promise<number> {
  const { rows, rate, first, beganMs } = plan;
  let at = from;
  while (at < rows && !isOver(plan)) {
    const end = Math.min(at + BATCH_CALLS, rows);
    await storage.ledger.appendCalls(plan.make(at, end), { file: 1, offset: end });
    at = end;
    if ((at / BATCH_CALLS) % HOUSEKEEPING_BATCHES === 0) {
      process.stderr.write(`${at} calls          \r`);
      // As the housekeeping would have done while these days passed.
      await storage.ledger.pruneRollups(rollupsBefore(plan.timeOf(at)), PRUNE_ROWS);
    }
    if (rate > 0) await until(beganMs + ((at - first) / rate) * 1000);
  }
  return at;
}

function isOver({ beganMs, seconds }: Plan): boolean {
  return performance.now() - beganMs > seconds * 1000;
}

/** How many calls the roll-ups know of. */
async function countOf(storage: Storage): Promise<number> {
  const range = { fromMs: 0, toMs: Date.UTC(2100, 0, 1) };
  const rows = await storage.ledger.usage({
    ...range,
    ...ALL_USAGE,
    bucket: "ALL",
    groupBy: "NONE",
  });
  return rows.reduce((sum, row) => sum + row.calls, 0);
}

/** Which roll-ups are too old at a time. */
function rollupsBefore(nowMs: number) {
  return {
    minutesBeforeMs: nowMs - MINUTE_DAYS * DAY_MS,
    hoursBeforeMs: nowMs - HOUR_DAYS * DAY_MS,
    daysBeforeMs: 0,
  };
}

async function addNouns(storage: Storage): Promise<void> {
  const each = <T>(count: number, of: (number: number) => Promise<T>): Promise<T[]> =>
    Promise.all(Array.from({ length: count }, (_, number) => of(number)));
  await storage.keys.write(async (tx) => {
    await each(OWNERS, (i) => tx.users.insert(user(ownerId(i), { username: `user-${i}` })));
    await each(PROVIDERS, (i) =>
      tx.providers.insert(provider(providerId(i), { slug: `provider-${i}` })),
    );
    await each(PROVIDER_KEYS, (i) =>
      tx.providerKeys.insert(
        providerKey(providerKeyId(i), {
          ownerId: ownerId(i % OWNERS),
          providerId: providerId(i % PROVIDERS),
          name: `upstream ${i}`,
        }),
      ),
    );
    await each(CLIENT_KEYS, (i) =>
      tx.clientKeys.insert(
        clientKey(clientKeyId(i), { ownerId: ownerId(i % OWNERS), name: `client ${i}` }),
      ),
    );
  });
}

async function until(atMs: number): Promise<void> {
  const waitMs = atMs - performance.now();
  if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
}
