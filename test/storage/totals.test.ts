import assert from "node:assert/strict";
import path from "node:path";
import { test } from "node:test";
import * as fc from "fast-check";
import type { CallRecord } from "../../server/core/call.js";
import { connect } from "../../server/storage/db.js";
import { MIGRATIONS } from "../../server/storage/migrations/all.js";
import type { Storage } from "../../server/storage/open.js";
import { clientKey, opened, START_MS, user } from "./fixture.js";
import { AT, call, everything, failed, HOUR, sums, usage } from "./ledger-fixture.js";

const MINUTE = 60_000;
const BUCKETS = [
  ["MINUTE", MINUTE],
  ["HOUR", HOUR],
  ["DAY", 24 * HOUR],
] as const;
const GROUPS = {
  NONE: () => "",
  MODEL: (one: CallRecord) => one.modelServed ?? "",
  PROVIDER: (one: CallRecord) => one.providerId ?? "",
  PROVIDER_KEY: (one: CallRecord) => one.providerKeyId ?? "",
  CLIENT_KEY: (one: CallRecord) => one.clientKeyId,
  OWNER: (one: CallRecord) => one.ownerId,
} as const;
const FILTERS = {
  model: GROUPS.MODEL,
  providerId: GROUPS.PROVIDER,
  providerKeyId: GROUPS.PROVIDER_KEY,
  clientKeyId: GROUPS.CLIENT_KEY,
  ownerId: GROUPS.OWNER,
} as const;

/** Asks for every grouping in every bucket, alone and for one value of each filter. */
async function mustAddUp(storage: Storage, calls: readonly CallRecord[]): Promise<void> {
  for (const [groupBy, groupOf] of Object.entries(GROUPS)) {
    const group = { groupBy: groupBy as keyof typeof GROUPS };
    assert.deepEqual(await usage(storage, everything(group)), sums(calls, groupOf), groupBy);
    for (const [bucket, ms] of BUCKETS) {
      assert.deepEqual(
        await usage(storage, everything({ ...group, bucket })),
        sums(calls, (one) => `${floorTo(one.startedAt, ms)}/${groupOf(one)}`),
        `${groupBy} by ${bucket}`,
      );
    }
    for (const [filter, nameOf] of Object.entries(FILTERS)) {
      const wanted = calls.map(nameOf).find((name) => name !== "");
      if (wanted === undefined) continue;
      const found = calls.filter((one) => nameOf(one) === wanted);
      assert.deepEqual(
        await storage.ledger.countActive(everything({ [filter]: wanted })),
        activeIn(found),
        `active of one ${filter}`,
      );
      assert.deepEqual(
        await usage(storage, everything({ ...group, [filter]: wanted })),
        sums(
          calls.filter((one) => nameOf(one) === wanted),
          groupOf,
        ),
        `${groupBy} of one ${filter}`,
      );
    }
  }
  await mustAddUpByPair(storage, calls);
}

/** Asks for one model of one provider. */
async function mustAddUpByPair(storage: Storage, calls: readonly CallRecord[]): Promise<void> {
  const some = calls.find(
    ({ providerId, modelServed }) => providerId !== null && modelServed !== null,
  );
  if (some === undefined) return;
  const { providerId, modelServed: model } = some;
  const found = calls.filter((one) => one.providerId === providerId && one.modelServed === model);
  const pair = everything({ providerId, model });
  assert.deepEqual(await usage(storage, pair), sums(found, GROUPS.NONE), "one pair");
  assert.deepEqual(
    await usage(storage, { ...pair, bucket: "HOUR" }),
    sums(found, (one) => `${floorTo(one.startedAt, HOUR)}/`),
    "one pair by hour",
  );
  assert.deepEqual(
    await usage(storage, { ...pair, groupBy: "MODEL" }),
    sums(found, GROUPS.MODEL),
    "one pair by model",
  );
}

function activeIn(calls: readonly CallRecord[]) {
  const count = (of: (one: CallRecord) => string): number =>
    new Set(calls.map(of).filter((name) => name !== "")).size;
  return {
    clientKeys: count(GROUPS.CLIENT_KEY),
    providerKeys: count(GROUPS.PROVIDER_KEY),
    owners: count(GROUPS.OWNER),
  };
}

const specs = fc.record({
  at: fc.oneof(
    fc.integer({ min: 0, max: 10 * MINUTE }),
    fc.integer({ min: -40 * HOUR, max: 40 * HOUR }),
  ),
  key: fc.integer({ min: 1, max: 3 }),
  provider: fc.integer({ min: 0, max: 2 }),
  model: fc.constantFrom("a", "b"),
  error: fc.boolean(),
  input: fc.integer({ min: 0, max: 10 ** 6 }),
});
type Spec = typeof specs extends fc.Arbitrary<infer T> ? T : never;

function callOf(number: number, spec: Spec): CallRecord {
  const made = spec.error ? failed(number) : call(number, { modelServed: spec.model });
  return {
    ...made,
    startedAt: START_MS + spec.at,
    clientKeyId: `ck_${spec.key}`,
    ownerId: `usr_${Math.min(spec.key, 2)}`,
    providerId: spec.provider === 0 ? null : `prv_${spec.provider}`,
    tokens: { ...made.tokens, input: spec.input },
  };
}

test("totals equal the rows, whatever is asked and in whatever order calls come in", async (t) => {
  const { storage } = await opened(t);
  const all: CallRecord[] = [];
  const batch = fc.array(specs, { minLength: 1, maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(batch, async (batchSpecs) => {
      const calls = batchSpecs.map((spec, i) => callOf(all.length + i, spec));
      await storage.ledger.appendCalls(calls, AT);
      all.push(...calls);
      await mustAddUp(storage, all);
    }),
    { numRuns: 25 },
  );
});

test("a line has buckets of any whole number of roll-ups", async (t) => {
  const { storage } = await opened(t);
  const calls = Array.from({ length: 200 }, (_, n) =>
    call(n, { startedAt: START_MS + n * MINUTE }),
  );
  await storage.ledger.appendCalls(calls, AT);
  const stepMs = 15 * MINUTE;
  const fromMs = START_MS + 5 * MINUTE;
  const asked = everything({ fromMs, toMs: fromMs + 10 * stepMs, bucket: "MINUTE", stepMs });
  const within = calls.filter((one) => one.startedAt >= fromMs && one.startedAt < asked.toMs);
  assert.deepEqual(
    await usage(storage, asked),
    sums(within, (one) => `${fromMs + floorTo(one.startedAt - fromMs, stepMs)}/`),
  );
});

test("a deleted client key's part goes from every total, in and after the sweep, and no other", async (t) => {
  const { storage } = await opened(t);
  await storage.keys.write(async (tx) => {
    await tx.users.insert(user("usr_1"));
    await tx.clientKeys.insert(clientKey("ck_1"));
  });
  const calls = Array.from({ length: 600 }, (_, n) =>
    callOf(n, {
      at: n * 7_000 - (n % 50 === 0 ? 30 * HOUR : 0),
      key: 1 + (n % 3),
      provider: n % 2,
      model: n % 5 === 0 ? "a" : "b",
      error: n % 11 === 0,
      input: n,
    }),
  );
  await storage.ledger.appendCalls(calls, AT);
  await mustAddUp(storage, calls);
  const kept = calls.filter((one) => one.clientKeyId !== "ck_1");
  await storage.keys.write((tx) => tx.clientKeys.delete("ck_1"));
  assert.deepEqual(await usage(storage, everything()), sums(kept, GROUPS.NONE));
  await storage.ledger.sweep();
  await mustAddUp(storage, kept);
  const late = callOf(9_000, { at: 0, key: 2, provider: 1, model: "a", error: false, input: 5 });
  await storage.ledger.appendCalls([late], AT);
  await mustAddUp(storage, [...kept, late]);
});

test("a database from before the totals gets them from its roll-ups", async (t) => {
  const { storage, folder } = await opened(t);
  const calls = Array.from({ length: 300 }, (_, n) =>
    callOf(n, {
      at: n * 20_000,
      key: 1 + (n % 3),
      provider: n % 3,
      model: "a",
      error: false,
      input: n,
    }),
  );
  await storage.ledger.appendCalls(calls, AT);
  await storage.close();
  const raw = connect({ file: path.join(folder, "latchkey.db"), readOnly: false });
  for (const table of ["totals_minute", "totals_hour", "totals_day"]) {
    await raw.schema.dropTable(table);
  }
  // What later steps have made is still there, so only this one is done again.
  await raw("schema_versions").where("version", ">=", 4).delete();
  await raw.destroy();
  const until = MIGRATIONS.filter(({ version }) => version <= 4);
  const pairs = MIGRATIONS.filter(({ name }) => name === "pairs");
  assert.equal(pairs.length, 1);
  const migrations = [...until, ...pairs.map((step) => ({ ...step, version: 5 }))];
  const again = await opened(t, { dataFolder: folder, migrations });
  await mustAddUp(again.storage, calls);
});

function floorTo(ms: number, stepMs: number): number {
  return Math.floor(ms / stepMs) * stepMs;
}
