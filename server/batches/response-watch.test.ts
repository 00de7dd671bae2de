import assert from "node:assert/strict";
import { test } from "node:test";
import {
  batchOf,
  clockAt,
  DAY_MS,
  ended,
  Killed,
  make,
  Outside,
  watchOf,
} from "../../test/support/watched-batches.js";
import { type FakeClock, settle } from "../../test/support/fake-clock.js";
import type { Batch } from "../core/batch.js";
import { NO_TOKENS, NOTHING_RESERVED } from "../core/call.js";
import type { BatchWatch } from "./batch-watch.js";
import { LOOK_PAUSE_MIN_MS, RESPONSE_AGE_MAX_MS, RESPONSE_PAUSE_MAX_MS } from "./limits.js";

// Single responses, which count with whoever is told of them first: callers and the watch take them out of one set.

const RESERVED = { inputTokens: 7, maxOutputTokens: 9, costMicros: 5 };

function responseOf(id: string, madeAt: number, reserved = RESERVED): Batch {
  const target = { upstreamModel: "m", price: null };
  const later = { target, counted: NO_TOKENS };
  return batchOf(id, "usr", madeAt, { path: `/v1/responses/${id}`, reserved, later });
}

/** A call begins a response that goes on after it, and is put on record. */
function goOn({ outside, watch }: Watching, response: Batch): Promise<void> {
  const news = { kind: "GOES_ON", batch: response, lookAt: watch.goesOn(response) } as const;
  outside.news.push(news);
  return watch.recorded(news);
}

/** A call is told what a response used, and is put on record. */
function tell({ outside, watch }: Watching, { scope, batchId }: Batch): Promise<void> {
  const news = { kind: "TOLD", scope, batchId } as const;
  outside.news.push(news);
  return watch.recorded(news);
}

interface Watching {
  readonly outside: Outside;
  readonly watch: BatchWatch;
}

/** What a process knows of responses that are still to be counted. */
function memoryOf(outside: Outside): Set<string> {
  const rows = outside.rows.filter(
    ({ lookAt, records }) => lookAt !== null && records === undefined,
  );
  const memory = new Set(rows.map(({ batchId }) => batchId));
  outside.take = ({ batchId }) => memory.delete(batchId);
  return memory;
}

/** A watch that has begun, with all around it, and what the server knows of responses in memory. */
async function watchingResponses() {
  const outside = new Outside();
  const clock = clockAt();
  const aside: string[] = [];
  const watch = watchOf(outside, clock, aside);
  const memory = memoryOf(outside);
  await watch.start();
  return { outside, clock, aside, watch, memory };
}

async function passing(clock: FakeClock, ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= LOOK_PAUSE_MIN_MS) {
    await settle();
    clock.advance(LOOK_PAUSE_MIN_MS);
  }
  await settle();
}

test("a response is looked for a minute after it was begun and counts once, though nobody asks for it", async () => {
  const { outside, clock, aside, watch, memory } = await watchingResponses();
  memory.add("r1");
  const noted = goOn({ outside, watch }, responseOf("r1", clock.now()));
  assert.deepEqual(aside, ["r1"], "nothing else may use that meanwhile");
  await noted;
  assert.deepEqual(aside, ["r1"]);
  clock.advance(LOOK_PAUSE_MIN_MS - 1);
  await settle();
  assert.equal(outside.looks, 0);
  clock.advance(1);
  await settle();
  assert.deepEqual([outside.looks, outside.ledger.size, aside], [1, 0, ["r1"]]);
  outside.look = () => ended("m");
  await passing(clock, DAY_MS);
  assert.deepEqual([outside.looks, outside.ledger.size, aside], [2, 1, []]);
  assert.ok(!memory.has("r1"), "a caller who asks now counts nothing more");
  await watch.stop();
});

test("a response that its caller was told of is asked for no more, and what was set aside is free", async () => {
  const { outside, clock, aside, watch, memory } = await watchingResponses();
  const response = responseOf("r1", clock.now());
  memory.add("r1");
  // As soon as it was made, before the store has it.
  const noted = goOn({ outside, watch }, response);
  memory.delete("r1");
  await Promise.all([noted, tell({ outside, watch }, response)]);
  assert.deepEqual(aside, []);
  await passing(clock, DAY_MS);
  await watch.stop();
  const next = watchOf(outside, clock, aside);
  assert.deepEqual([...memoryOf(outside)], []);
  await next.start();
  await passing(clock, DAY_MS);
  await next.stop();
  assert.deepEqual([outside.looks, outside.ledger.size, aside], [0, 0, []]);
});

test("a response of which its caller is told while it is looked at does not count twice", async () => {
  const { outside, clock, aside, watch, memory } = await watchingResponses();
  memory.add("r1");
  await goOn({ outside, watch }, responseOf("r1", clock.now()));
  outside.look = () => {
    memory.delete("r1");
    return ended("m");
  };
  await passing(clock, DAY_MS);
  assert.deepEqual([outside.looks, outside.ledger.size, aside], [1, 0, []]);
  await watch.stop();
});

test("whatever step a process dies at, the next one counts each response once", async () => {
  for (let steps = 0; steps < 40; steps++) {
    const outside = new Outside();
    const clock = clockAt();
    const first = watchOf(outside, clock);
    memoryOf(outside).add("r1");
    await first.start();
    await goOn({ outside, watch: first }, responseOf("r1", clock.now()));
    await first.stop();
    outside.look = () => ended("m");
    for (const stepsLeft of [steps, Number.POSITIVE_INFINITY]) {
      outside.stepsLeft = stepsLeft;
      memoryOf(outside);
      const watch = watchOf(outside, clock);
      await watch.start().catch(() => undefined);
      await settle();
      outside.stepsLeft = Number.POSITIVE_INFINITY;
      await watch.stop();
    }
    assert.deepEqual([outside.ledger.size, outside.booked.length], [1, 1], `${steps} steps`);
  }
});

test("a response whose call is on record outlives its process, and one that is told does not come back", async () => {
  for (const isTold of [false, true]) {
    const { outside, clock, aside, watch, memory } = await watchingResponses();
    memory.add("r1");
    const response = responseOf("r1", clock.now());
    outside.stepsLeft = 0;
    await assert.rejects(goOn({ outside, watch }, response), Killed);
    if (isTold) await assert.rejects(tell({ outside, watch }, response), Killed);
    await watch.stop();
    assert.deepEqual(aside, [], "whatever the store says, budgets get back what they set aside");
    outside.stepsLeft = Number.POSITIVE_INFINITY;
    outside.replay();
    outside.look = () => ended("m");
    memoryOf(outside);
    const next = watchOf(outside, clock);
    await next.start();
    await passing(clock, DAY_MS);
    assert.equal(outside.ledger.size, isTold ? 0 : 1);
    await next.stop();
  }
});

test("a batch that the store does not take before its call is on record is set aside and counts all the same", async () => {
  const { outside, clock, aside, watch } = await watchingResponses();
  const batch = batchOf("b1", "usr", clock.now(), { reserved: RESERVED });
  outside.take = () => true;
  const made = outside.made.bind(outside);
  outside.made = () => Promise.reject(new Error("locked"));
  await make(watch, batch);
  assert.deepEqual([aside, outside.looks], [["b1"], 0]);
  outside.made = made;
  const news = { kind: "GOES_ON", batch, lookAt: batch.madeAt } as const;
  outside.news.push(news);
  await watch.recorded(news);
  assert.deepEqual(aside, ["b1"]);
  const names = [{ batchId: batch.batchId, path: batch.path }];
  outside.look = ({ sought }) => (sought === undefined ? ended("m") : { kind: "SOUGHT", names });
  await passing(clock, DAY_MS);
  assert.deepEqual([outside.ledger.size, aside], [1, []]);
  await watch.stop();
});

test("a response that the store does not take the first time counts all the same", async () => {
  const { outside, clock, watch, memory } = await watchingResponses();
  memory.add("r1");
  await goOn({ outside, watch }, responseOf("r1", clock.now()));
  outside.look = () => ended("m");
  const { keepRecords } = outside;
  let refusals = 2;
  outside.keepRecords = (...asked) =>
    refusals-- > 0 ? Promise.reject(new Error("full")) : keepRecords(...asked);
  await passing(clock, DAY_MS);
  assert.deepEqual([outside.ledger.size, refusals], [1, -1]);
  await watch.stop();
});

test("a response that does not end is asked for every few minutes, and given up after days", async () => {
  const { outside, clock, watch, memory } = await watchingResponses();
  memory.add("r1");
  const madeAt = clock.now();
  await goOn({ outside, watch }, responseOf("r1", madeAt));
  const looks: number[] = [];
  outside.look = () => {
    looks.push(clock.now());
    return { kind: "RUNNING" };
  };
  await passing(clock, RESPONSE_AGE_MAX_MS + RESPONSE_PAUSE_MAX_MS + LOOK_PAUSE_MIN_MS);
  const pauses = looks.map((at, n) => at - (looks[n - 1] ?? madeAt));
  assert.equal(pauses[0], LOOK_PAUSE_MIN_MS);
  assert.ok(Math.max(...pauses) <= RESPONSE_PAUSE_MAX_MS);
  assert.ok(looks.length < RESPONSE_AGE_MAX_MS / RESPONSE_PAUSE_MAX_MS + 60, `${looks.length}`);
  const [record] = outside.ledger.values();
  assert.deepEqual([record?.errorCode, record?.costMicros], ["response_lost", 5]);
  await watch.stop();
});

test("a response that is gone counts as what was set aside, or where its call counted, no more", async () => {
  const { outside, clock, aside, watch, memory } = await watchingResponses();
  outside.look = () => ({ kind: "MISSED", problem: "the response: HTTP 404", use: undefined });
  memory.add("r1").add("r2");
  await goOn({ outside, watch }, responseOf("r1", clock.now()));
  await goOn({ outside, watch }, responseOf("r2", clock.now(), NOTHING_RESERVED));
  await passing(clock, DAY_MS);
  const records = [...outside.ledger.values()];
  assert.deepEqual(
    records.map(({ endpoint, errorCode, costMicros }) => [endpoint, errorCode, costMicros]),
    [["/v1/responses/r1", "response_lost", 5]],
  );
  assert.deepEqual([aside, outside.rows.every(({ lookAt }) => lookAt === null)], [[], true]);
  await watch.stop();
});
