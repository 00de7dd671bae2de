import type { Logger } from "../../server/core/logger.js";
import { ALL_USAGE } from "../../server/metering/usage-types.js";
import type { Storage } from "../../server/storage/open.js";
import { clientKey, provider, providerKey, user } from "../../test/storage/fixture.js";
import { clientKeyId, MadeCalls, ownerId, providerId, providerKeyId } from "./made-calls.js";
import { CLIENT_KEYS, OWNERS, PROVIDER_KEYS, PROVIDERS } from "./made-calls.js";

export const DAY_MS = 86_400_000;
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
  const { rows, fromMs, toMs, rate, seconds } = filling;
  const first = await countOf(storage);
  if (first === 0) await addNouns(storage);
  const made = new MadeCalls(SEED + first);
  const stepMs = (toMs - fromMs) / rows;
  const beganMs = performance.now();
  let at = first;
  while (at < rows && performance.now() - beganMs < seconds * 1000) {
    const count = Math.min(BATCH_CALLS, rows - at);
    const start = at;
    const batch = Array.from({ length: count }, (_, i) => made.next(fromMs + (start + i) * stepMs));
    at += count;
    await storage.ledger.appendCalls(batch, { file: 1, offset: at });
    if ((at / BATCH_CALLS) % HOUSEKEEPING_BATCHES === 0) {
      process.stderr.write(`${at} calls          \r`);
      // As the housekeeping would have done while these days passed.
      await storage.ledger.pruneRollups(rollupsBefore(fromMs + at * stepMs), PRUNE_ROWS);
    }
    if (rate > 0) await until(beganMs + ((at - first) / rate) * 1000);
  }
  const took = (performance.now() - beganMs) / 1000;
  process.stderr.write(`${at} calls, ${Math.round((at - first) / took)} a second\n`);
  return fromMs + at * stepMs;
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
