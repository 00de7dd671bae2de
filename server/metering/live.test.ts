import assert from "node:assert/strict";
import test from "node:test";
import { callId, sampleCall } from "../../test/metering/sample-calls.js";
import { FakeClock, settle } from "../../test/support/fake-clock.js";
import { LIVE_BATCH_CALLS_MAX, LiveCalls } from "./live-calls.js";
import { LiveOverview } from "./live-overview.js";
import { Meter } from "./meter.js";
import { EMPTY_POOL } from "./snapshot.js";
import { buildSnapshot } from "./snapshot-builder.js";

interface Bench {
  readonly clock: FakeClock;
  readonly overview: LiveOverview;
  readonly built: { seq: number; windowSeconds: number }[];
}

function bench(): Bench {
  const clock = new FakeClock();
  const sources = {
    meter: new Meter({ clock }),
    clock,
    poolSummary: () => EMPTY_POOL,
    nameOf: () => undefined,
  };
  const built: Bench["built"] = [];
  const overview = new LiveOverview({
    clock,
    build: (tick) => {
      built.push(tick);
      return buildSnapshot(sources, tick);
    },
  });
  return { clock, overview, built };
}

test("a new watcher has a snapshot at once, then one per interval", async () => {
  const { clock, overview } = bench();
  const watch = overview.subscribe({ intervalMs: 500, windowSeconds: 60 });
  const first = await watch.next();
  assert.ok(!first.done && first.value.snapshot.history.length === 120);
  const seqs: number[] = [];
  for (let i = 0; i < 3; i++) {
    const next = watch.next();
    clock.advance(500);
    const { value } = await next;
    if (value) seqs.push(value.snapshot.seq);
  }
  assert.deepEqual(seqs, [2, 4, 6]);
  await watch.return();
});

test("one snapshot per tick serves all watchers of a window", async () => {
  const { clock, overview, built } = bench();
  const watches = Array.from({ length: 50 }, () =>
    overview.subscribe({ intervalMs: 250, windowSeconds: 55 }),
  );
  for (const watch of watches) await watch.next();
  built.length = 0;
  const nexts = watches.map((watch) => watch.next());
  clock.advance(250);
  const snapshots = new Set((await Promise.all(nexts)).map((next) => next.value?.snapshot));
  assert.equal(snapshots.size, 1);
  assert.deepEqual(built, [{ seq: 1, windowSeconds: 60 }]);
  await Promise.all(watches.map((watch) => watch.return()));
});

test("a slow watcher gets the newest snapshot and is told how many it missed", async () => {
  const { clock, overview } = bench();
  const watch = overview.subscribe({ intervalMs: 250, windowSeconds: 60 });
  await watch.next();
  clock.advance(2500);
  const { value } = await watch.next();
  assert.ok(value);
  assert.deepEqual([value.snapshot.seq, value.dropped], [10, 9]);
  await watch.return();
});

test("nothing runs while nobody watches, and a watcher that leaves is forgotten", async () => {
  const { clock, overview, built } = bench();
  const end = new AbortController();
  const watch = overview.subscribe({ intervalMs: 250, windowSeconds: 60, signal: end.signal });
  await watch.next();
  const next = watch.next();
  end.abort();
  assert.equal((await next).done, true);
  assert.equal(overview.watchers, 0);
  clock.advance(250);
  built.length = 0;
  clock.advance(60_000);
  assert.equal(built.length, 0);
  assert.equal(clock.pending, 0);
});

test("closing ends every subscription", async () => {
  const { overview } = bench();
  const watch = overview.subscribe({ intervalMs: 250, windowSeconds: 60 });
  await watch.next();
  const next = watch.next();
  overview.close();
  assert.equal((await next).done, true);
});

const all = { filter: () => true, backfill: 0 };

test("calls come in batches every quarter of a second, only those that match", async () => {
  const clock = new FakeClock();
  const live = new LiveCalls({ clock });
  const watch = live.subscribe({
    filter: (record) => record.modelAsked === "a",
    backfill: 0,
  });
  const next = watch.next();
  await settle();
  for (let i = 0; i < 20; i++) live.publish(sampleCall(i, { modelAsked: i % 2 ? "a" : "b" }));
  clock.advance(250);
  const { value } = await next;
  assert.equal(value?.calls.length, 10);
  assert.equal(value?.dropped, 0);
  await watch.return();
});

test("more than a batch holds drops the oldest and counts them; memory does not grow", async () => {
  const clock = new FakeClock();
  const live = new LiveCalls({ clock });
  const watch = live.subscribe(all);
  const next = watch.next();
  await settle();
  for (let i = 1; i <= 10_000; i++) {
    live.publish(sampleCall(i));
    if (i % 1000 === 0) clock.advance(250);
  }
  const first = await next;
  assert.ok(first.value && first.value.calls.length === LIVE_BATCH_CALLS_MAX);
  assert.equal(first.value.calls.at(-1)!.id, callId(10_000));
  assert.equal(first.value.dropped + first.value.calls.length, 10_000);
  await watch.return();
});

test("a joining watcher gets the last matching calls, oldest first, in batches", async () => {
  const live = new LiveCalls({ clock: new FakeClock() });
  for (let i = 1; i <= 700; i++) live.publish(sampleCall(i));
  const watch = live.subscribe({ filter: () => true, backfill: 120 });
  const ids: string[] = [];
  for (const size of [50, 50, 20]) {
    const { value } = await watch.next();
    assert.equal(value?.calls.length, size);
    ids.push(...(value?.calls ?? []).map((record) => record.id));
  }
  assert.deepEqual([ids[0], ids.at(-1)], [callId(581), callId(700)]);
  await watch.return();
});

test("a call that ends while the backfill goes out is neither lost nor shown twice", async () => {
  const clock = new FakeClock();
  const live = new LiveCalls({ clock });
  live.publish(sampleCall(1));
  const watch = live.subscribe({ filter: () => true, backfill: 10 });
  const backfill = await watch.next();
  live.publish(sampleCall(2));
  clock.advance(250);
  const batch = await watch.next();
  assert.deepEqual(
    [backfill, batch].map((next) => next.value?.calls.map((record) => record.id)),
    [[callId(1)], [callId(2)]],
  );
  await watch.return();
  assert.equal(live.watchers, 0);
});
