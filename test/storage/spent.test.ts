import assert from "node:assert/strict";
import { test } from "node:test";
import type { CallRecord } from "../../server/core/call.js";
import type { Storage } from "../../server/storage/open.js";
import type { Spender } from "../../server/storage/spent.js";
import { clientKey, opened, START_MS, user } from "./fixture.js";
import { AT, call, everything, HOUR, usage } from "./ledger-fixture.js";

const DAY = 24 * HOUR;
const MINUTE = 60_000;
const TODAY = Math.floor(START_MS / DAY) * DAY;
/** Of one call of the fixture. */
const TOKENS = 50;
const COST = 1234;

function spent(storage: Storage, by: Spender, fromMs = TODAY, id: string | null = null) {
  return storage.ledger.spent({ by, id, fromMs, toMs: START_MS + HOUR });
}

/** Two client keys of two users, each with a call a minute and one of three days ago. */
async function ledgerOfTwo(storage: Storage): Promise<readonly CallRecord[]> {
  await storage.keys.write(async (tx) => {
    for (const n of [1, 2]) {
      await tx.users.insert(user(`usr_${n}`));
      await tx.clientKeys.insert(clientKey(`ck_${n}`, { ownerId: `usr_${n}` }));
    }
  });
  const calls = [1, 2].flatMap((n) =>
    Array.from({ length: 10 }, (_, i) =>
      call(n * 100 + i, {
        clientKeyId: `ck_${n}`,
        ownerId: `usr_${n}`,
        startedAt: i === 0 ? START_MS - 3 * DAY : START_MS + i * MINUTE,
      }),
    ),
  );
  for (const one of calls.toSorted((a, b) => a.startedAt - b.startedAt)) {
    await storage.ledger.appendCalls([one], AT);
  }
  return calls;
}

test("what a deleted client key has spent counts for its owner and the server on, in and after the sweep and over a restart", async (t) => {
  const { storage, folder } = await opened(t);
  await ledgerOfTwo(storage);
  const check = async (from: Storage): Promise<void> => {
    const [all, today] = [10 * TOKENS, 9 * TOKENS];
    assert.deepEqual(
      (await spent(from, "OWNER")).toSorted((a, b) => (a.id < b.id ? -1 : 1)),
      ["usr_1", "usr_2"].map((id) => ({ id, calls: 9, tokens: today, costMicros: 9 * COST })),
    );
    const [one] = await spent(from, "OWNER", TODAY - 3 * DAY, "usr_1");
    assert.deepEqual(one, { id: "usr_1", calls: 10, tokens: all, costMicros: 10 * COST });
    assert.deepEqual(await spent(from, "SERVER", TODAY - 3 * DAY), [
      { id: "", calls: 20, tokens: 2 * all, costMicros: 20 * COST },
    ]);
  };
  await check(storage);
  await storage.keys.write((tx) => tx.clientKeys.delete("ck_1"));
  await check(storage);
  assert.deepEqual(await spent(storage, "CLIENT_KEY", TODAY, "ck_1"), []);
  await storage.ledger.sweep();
  await check(storage);
  assert.deepEqual(Object.keys(await usage(storage, everything({ groupBy: "OWNER" }))), ["usr_2"]);
  await storage.close();
  await check((await opened(t, { dataFolder: folder })).storage);
});

test("a call that was under way when its client key was deleted counts for its owner, once", async (t) => {
  const { storage } = await opened(t);
  const [known] = await ledgerOfTwo(storage);
  await storage.keys.write((tx) => tx.clientKeys.delete("ck_1"));
  const late = call(900, { startedAt: START_MS + HOUR / 2, costMicros: null });
  assert.equal(await storage.ledger.appendCalls([late, late, known!], AT), 0);
  assert.deepEqual(await spent(storage, "OWNER", TODAY - 3 * DAY, "usr_1"), [
    { id: "usr_1", calls: 11, tokens: 11 * TOKENS, costMicros: 10 * COST },
  ]);
});

test("calls that are excepted count in nothing that is asked, and those of before the time or unknown change nothing", async (t) => {
  const { storage } = await opened(t);
  const [earlier, first, second] = await ledgerOfTwo(storage);
  const except = () => [earlier!.id, first!.id, second!.id, "call_unknown"];
  for (const [by, id, calls] of [
    ["CLIENT_KEY", "ck_1", 7],
    ["OWNER", "usr_1", 7],
    ["SERVER", null, 16],
  ] as const) {
    const range = { fromMs: TODAY, toMs: START_MS + HOUR };
    const [row] = await storage.ledger.spent({ by, id, ...range, except });
    assert.deepEqual(
      row,
      { id: id ?? "", calls, tokens: calls * TOKENS, costMicros: calls * COST },
      by,
    );
  }
});

test("what deleted client keys have spent is forgotten when no running period can have it", async (t) => {
  const { storage, clock } = await opened(t);
  await ledgerOfTwo(storage);
  await storage.keys.write((tx) => tx.clientKeys.delete("ck_1"));
  const ofDeleted = () => spent(storage, "OWNER", 0, "usr_1");
  clock.ms += 28 * DAY;
  await storage.ledger.sweep();
  assert.equal((await ofDeleted())[0]?.tokens, 10 * TOKENS);
  clock.ms += DAY;
  await storage.ledger.sweep();
  assert.equal((await ofDeleted())[0]?.tokens, 9 * TOKENS);
  clock.ms += 4 * DAY;
  await storage.ledger.sweep();
  assert.deepEqual(await ofDeleted(), []);
});

test("what a deleted client key has used of provider keys counts for these on, over a restart, and not for other periods", async (t) => {
  const { storage, folder } = await opened(t);
  await ledgerOfTwo(storage);
  const late = (n: number, part: Partial<CallRecord>) =>
    storage.ledger.appendCalls([call(n, { startedAt: START_MS + n, ...part })], AT);
  await late(500, { providerKeyId: "pk_2" });
  await late(501, { providerKeyId: null, attempts: [] });
  const check = async (from: Storage, more: number): Promise<void> => {
    const counted = async (range: { fromMs: number; toMs: number }) => {
      const rows = await from.ledger.spent({ by: "PROVIDER_KEY", id: null, ...range });
      return new Map(rows.map((row) => [row.id, row.calls]));
    };
    const today = await counted({ fromMs: TODAY, toMs: TODAY + DAY });
    assert.equal(today.get("pk_1"), 18 + more);
    assert.equal(today.get("pk_2"), 1);
    const before = await counted({ fromMs: TODAY - 3 * DAY, toMs: TODAY });
    assert.equal(before.get("pk_1"), 2);
    assert.equal(before.get("pk_2") ?? 0, 0);
    const [one] = await from.ledger.spent({
      by: "PROVIDER_KEY",
      id: "pk_1",
      fromMs: TODAY,
      toMs: TODAY + DAY,
    });
    const calls = 18 + more;
    assert.deepEqual(one, { id: "pk_1", calls, tokens: calls * TOKENS, costMicros: calls * COST });
  };
  await check(storage, 0);
  await storage.keys.write((tx) => tx.clientKeys.delete("ck_1"));
  await check(storage, 0);
  await storage.ledger.sweep();
  await check(storage, 0);
  await late(502, {});
  await check(storage, 1);
  await storage.close();
  await check((await opened(t, { dataFolder: folder })).storage, 1);
});
