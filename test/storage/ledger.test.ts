import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import type { CallRecord } from "../../server/core/call.js";
import type { Storage } from "../../server/storage/open.js";
import { clientKey, opened, query, START_MS, user } from "./fixture.js";
import { AT, call, everything, failed, HOUR, sums, usage } from "./ledger-fixture.js";

test("a call reads back as it was recorded", async (t) => {
  const { storage } = await opened(t);
  const records = [call(1, { streamed: true }), failed(2)];
  assert.equal(await storage.ledger.appendCalls(records, AT), 2);
  assert.deepEqual(await storage.ledger.getCall("call_000001"), records[0]);
  assert.deepEqual(await storage.ledger.getCall("call_000002"), records[1]);
  assert.equal(await storage.ledger.getCall("call_9"), undefined);
  const page = await storage.ledger.listCalls(query());
  assert.deepEqual(page.items, records.toReversed());
  assert.deepEqual([page.total, page.totalIsExact, page.nextPageToken], [2, true, ""]);
});

test("the journal position commits with its batch", async (t) => {
  const { storage } = await opened(t);
  assert.equal(await storage.ledger.journalPosition(), undefined);
  await storage.ledger.appendCalls([call(1)], { file: 3, offset: 9_007_199_254_740_991 });
  const position = { file: 3, offset: 9_007_199_254_740_991 };
  assert.deepEqual(await storage.ledger.journalPosition(), position);
  const bad = call(2, { httpStatus: Number.NaN });
  await assert.rejects(storage.ledger.appendCalls([bad], { file: 4, offset: 1 }));
  assert.deepEqual(await storage.ledger.journalPosition(), position);
  await storage.ledger.appendCalls([], { file: 5, offset: 0 });
  assert.deepEqual(await storage.ledger.journalPosition(), { file: 5, offset: 0 });
});

test("replayed batches change nothing, however they overlap", async (t) => {
  const { storage } = await opened(t);
  const records = Array.from({ length: 100 }, (_, n) => call(n));
  await storage.ledger.appendCalls(records.slice(0, 60), AT);
  for (let round = 0; round < 3; round++) {
    assert.equal(
      await storage.ledger.appendCalls([...records.slice(30), ...records.slice(90)], AT),
      round === 0 ? 40 : 0,
    );
  }
  assert.deepEqual(
    await usage(storage, everything()),
    sums(records, () => ""),
  );
  assert.equal((await storage.ledger.listCalls(query())).total, 100);
});

test("roll-ups equal the rows, in every grouping and bucket, whatever order calls come in", async (t) => {
  const offset = fc.oneof(
    fc.integer({ min: 0, max: 10 * 60_000 }),
    fc.integer({ min: -40 * HOUR, max: 40 * HOUR }),
  );
  const record = fc.record({
    at: offset,
    key: fc.integer({ min: 1, max: 3 }),
    provider: fc.integer({ min: 0, max: 2 }),
    model: fc.constantFrom("a", "b", null),
    error: fc.boolean(),
    latencyMs: fc.integer({ min: 0, max: 90_000 }),
    costMicros: fc.option(fc.integer({ min: 0, max: 10 ** 9 })),
    input: fc.integer({ min: 0, max: 10 ** 6 }),
  });
  const batches = fc.array(fc.array(record, { minLength: 1, maxLength: 12 }), {
    minLength: 1,
    maxLength: 8,
  });
  const { storage } = await opened(t);
  let run = 0;
  await fc.assert(
    fc.asyncProperty(batches, async (plan) => {
      // Each run has keys of its own, so that one database does for all.
      run += 1;
      const owner = `usr_${run}`;
      const all: CallRecord[] = [];
      for (const batch of plan) {
        const calls = batch.map((spec): CallRecord => {
          const made = (spec.error ? failed : call)(run * 1000 + all.length, {});
          const one = {
            ...made,
            id: `call_${run}_${all.length}`,
            startedAt: START_MS + spec.at,
            clientKeyId: `ck_${run}_${spec.key}`,
            ownerId: owner,
            providerId: spec.provider === 0 ? null : `prv_${spec.provider}`,
            // A model that has answered is known, so that errors count under it too.
            modelServed: spec.error ? null : spec.model,
            latencyMs: spec.latencyMs,
            costMicros: spec.costMicros,
            tokens: { ...made.tokens, input: spec.input },
          };
          all.push(one);
          return one;
        });
        assert.equal(await storage.ledger.appendCalls(calls, AT), calls.length);
      }
      const mine = { ownerId: owner };
      assert.deepEqual(
        await usage(storage, everything(mine)),
        sums(all, () => ""),
      );
      assert.deepEqual(
        await usage(storage, everything({ ...mine, groupBy: "CLIENT_KEY" })),
        sums(all, (one) => one.clientKeyId),
      );
      assert.deepEqual(
        await usage(storage, everything({ ...mine, groupBy: "PROVIDER" })),
        sums(all, (one) => one.providerId ?? ""),
      );
      for (const [bucket, ms] of [
        ["MINUTE", 60_000],
        ["HOUR", HOUR],
        ["DAY", 24 * HOUR],
      ] as const) {
        assert.deepEqual(
          await usage(storage, everything({ ...mine, bucket, groupBy: "MODEL" })),
          sums(all, (one) => `${Math.floor(one.startedAt / ms) * ms}/${one.modelServed ?? ""}`),
        );
      }
      // Any range of whole minutes, put together from whatever roll-ups are at hand.
      const fromMs = Math.floor(Math.min(...all.map((one) => one.startedAt)) / 60_000 + 1) * 60_000;
      const toMs = fromMs + 30 * HOUR;
      assert.deepEqual(
        await usage(storage, everything({ ...mine, fromMs, toMs })),
        sums(
          all.filter((one) => one.startedAt >= fromMs && one.startedAt < toMs),
          () => "",
        ),
      );
    }),
    { numRuns: 40 },
  );
});

test("a model that never answered does not become a group of its own", async (t) => {
  const { storage } = await opened(t);
  const guesses = Array.from({ length: 20 }, (_, n) =>
    failed(n, { modelAsked: `guess-${n}`, modelServed: `guess-${n}` }),
  );
  await storage.ledger.appendCalls(guesses, AT);
  await storage.ledger.appendCalls([call(30)], AT);
  await storage.ledger.appendCalls([failed(31, { modelServed: "gpt-4o-2024" })], AT);
  const groups = await usage(storage, everything({ groupBy: "MODEL" }));
  assert.deepEqual(Object.keys(groups), ["", "gpt-4o-2024"]);
  assert.equal(groups["gpt-4o-2024"]?.["errors"], 1);
  assert.equal((await storage.ledger.getCall("call_000003"))?.modelServed, "guess-3");
});

test("pruning removes old calls in batches and leaves roll-ups and newer calls", async (t) => {
  const { storage } = await opened(t);
  const records = Array.from({ length: 500 }, (_, n) =>
    call(n, { startedAt: START_MS + n * 1000 }),
  );
  await storage.ledger.appendCalls(records, AT);
  const limit = START_MS + 300 * 1000;
  assert.equal(await storage.ledger.pruneCalls(limit, 7), 300);
  assert.equal(await storage.ledger.pruneCalls(limit, 7), 0);
  const left = await storage.ledger.listCalls(query({ pageSize: 1000 }));
  assert.deepEqual(
    left.items.map((one) => one.id),
    records
      .slice(300)
      .map((one) => one.id)
      .toReversed(),
  );
  assert.deepEqual(
    await usage(storage, everything()),
    sums(records, () => ""),
  );
});

test("pruned minutes and hours live on in hours and days", async (t) => {
  const { storage } = await opened(t);
  const records = Array.from({ length: 72 }, (_, n) => call(n, { startedAt: START_MS + n * HOUR }));
  for (const record of records) await storage.ledger.appendCalls([record], AT);
  const retention = {
    minutesBeforeMs: START_MS + 60 * HOUR,
    hoursBeforeMs: START_MS + 30 * HOUR,
    daysBeforeMs: 0,
  };
  const gone = await storage.ledger.pruneRollups(retention, 10);
  assert.ok(gone > 60, `${gone}`);
  assert.deepEqual(
    await usage(storage, everything()),
    sums(records, () => ""),
  );
  const days = await usage(storage, everything({ bucket: "DAY" }));
  assert.equal(
    Object.values(days).reduce((sum, day) => sum + (day["calls"] ?? 0), 0),
    72,
  );
});

test("a deleted client key takes its calls and roll-ups with it, and nothing else", async (t) => {
  const { storage, folder } = await opened(t);
  await storage.keys.write(async (tx) => {
    await tx.users.insert(user("usr_1"));
    await tx.clientKeys.insert(clientKey("ck_1"));
    await tx.clientKeys.insert(clientKey("ck_2"));
  });
  const records = Array.from({ length: 3000 }, (_, n) =>
    call(n, { clientKeyId: n % 2 === 0 ? "ck_1" : "ck_2", startedAt: START_MS + n * 500 }),
  );
  await storage.ledger.appendCalls(records, AT);
  await storage.keys.write((tx) => tx.clientKeys.delete("ck_1"));
  const kept = records.filter((one) => one.clientKeyId === "ck_2");
  const check = async (from: Storage) => {
    assert.deepEqual(
      await usage(from, everything()),
      sums(kept, () => ""),
    );
    assert.equal((await from.ledger.listCalls(query())).total, 1500);
    assert.equal(await from.ledger.getCall("call_000000"), undefined);
    assert.notEqual(await from.ledger.getCall("call_000001"), undefined);
  };
  await check(storage);
  // A call that was under way when its key was deleted.
  assert.equal(await storage.ledger.appendCalls([call(9000)], AT), 0);
  await check(storage);
  // The process may end in the middle of the sweep; the next one goes on.
  await storage.close();
  const again = await opened(t, { dataFolder: folder });
  await again.storage.ledger.sweep();
  await check(again.storage);
  assert.equal(await again.storage.ledger.sweep(), 0);
});

test("a batch goes in whole as it was taken, or not at all, whatever has happened meanwhile", async (t) => {
  const { storage } = await opened(t);
  const { ledger } = storage;
  await storage.keys.write(async (tx) => {
    await tx.users.insert(user("usr_1"));
    await tx.clientKeys.insert(clientKey("ck_1"));
    await tx.clientKeys.insert(clientKey("ck_2"));
  });
  const batchOf = (calls: readonly CallRecord[]) => {
    const batch = ledger.newBatch();
    for (const one of calls) batch.add(one);
    return batch;
  };
  const of = (key: string, from: number, count: number) =>
    Array.from({ length: count }, (_, n) =>
      call(from + n, { clientKeyId: key, startedAt: START_MS + from + n }),
    );
  const first = [...of("ck_1", 0, 300), ...of("ck_2", 300, 300)];
  assert.equal(await batchOf(first).append(AT), 600, "names that nobody has seen");
  const second = of("ck_2", 600, 600);
  assert.equal(await batchOf(second).append(AT), 600, "names that are known");
  const partlyThere = [...second.slice(300), ...of("ck_2", 1200, 10)];
  await assert.rejects(batchOf(partlyThere).append(AT), /already/);
  assert.equal(await ledger.appendCalls(partlyThere, AT), 10);
  const names = { providerId: "prv_new", modelServed: "豆包" };
  const broken = [
    ...of("ck_2", 1210, 4),
    call(1214, { clientKeyId: "ck_2", startedAt: START_MS + 1214, ...names }),
  ];
  const refused = batchOf([...broken, call(1215, { httpStatus: Number.NaN })]);
  await assert.rejects(refused.append(AT));
  await assert.rejects(refused.append(AT), "tried again it is refused again");
  // Whoever numbers new names in between must not get their numbers mixed up with those of the roll-back.
  const twice = batchOf(broken);
  const other = call(1225, {
    clientKeyId: "ck_2",
    startedAt: START_MS + 1225,
    providerId: "prv_x",
  });
  assert.equal(await batchOf([other]).append(AT), 1);
  assert.equal(await twice.append(AT), 5, "after one that failed");
  const third = [...of("ck_1", 1215, 5), ...of("ck_2", 1220, 5)];
  const early = batchOf(third);
  await storage.keys.write((tx) => tx.clientKeys.delete("ck_1"));
  await assert.rejects(early.append(AT), /deleted/, "the key of some was deleted");
  assert.equal(await ledger.appendCalls(third, AT), 5);
  await ledger.sweep();
  const kept = [...of("ck_2", 300, 914), ...broken.slice(4), other, ...of("ck_2", 1220, 5)];
  assert.deepEqual(
    await usage(storage, everything()),
    sums(kept, () => ""),
  );
  assert.deepEqual(
    await usage(storage, everything({ groupBy: "PROVIDER" })),
    sums(kept, (one) => one.providerId ?? ""),
  );
  const { items, total } = await ledger.listCalls(query({ pageSize: 1000 }));
  assert.equal(total, kept.length);
  const inTurn = kept.toSorted((a, b) => (a.id < b.id ? 1 : -1)).map(({ id }) => id);
  assert.deepEqual(
    items
      .map(({ id }) => id)
      .toSorted()
      .toReversed(),
    inTurn,
  );
});
