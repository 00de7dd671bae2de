import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  askedOf,
  batchOf,
  clockAt,
  DAY_MS,
  ended,
  make,
  Outside,
  watchOf,
} from "../../test/support/watched-batches.js";
import { FakeClock, settle } from "../../test/support/fake-clock.js";
import type { FoundBatch, Look } from "./batch-look.js";
import { LOOK_PAUSE_MAX_MS, LOOK_PAUSE_MIN_MS, SEEK_MAX_MS } from "./limits.js";

// The watch of batches, against a store and a ledger that may die at any step.

test("whatever step a process dies at, the next one counts each batch once", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.nat(60), { maxLength: 6 }),
      fc.integer({ min: 1, max: 4 }),
      async (kills, batches) => {
        const outside = new Outside();
        const clock = clockAt();
        const first = watchOf(outside, clock);
        await first.start();
        for (let n = 0; n < batches; n++) {
          await make(first, batchOf(`b${n}`, `usr_${n % 2}`, clock.now()));
        }
        outside.look = ({ batchId }) => ended(`${batchId} one`, `${batchId} two`);
        await first.stop();
        for (const steps of kills) {
          outside.stepsLeft = steps;
          const dying = watchOf(outside, clock);
          await dying.start().catch(() => undefined);
          await settle();
          outside.stepsLeft = Number.POSITIVE_INFINITY;
          await dying.stop();
        }
        const last = watchOf(outside, clock);
        await last.start();
        await settle();
        await last.stop();
        const models = [...outside.ledger.values()].map(({ modelServed }) => modelServed);
        const wanted = Array.from({ length: batches }, (_, n) => [`b${n} one`, `b${n} two`]).flat();
        assert.deepEqual(models.toSorted(), wanted.toSorted());
        assert.equal(outside.booked.length, wanted.length);
        assert.ok(outside.rows.every(({ lookAt }) => lookAt === null));
      },
    ),
  );
});

test("whatever step a process dies at while batches are made, each that was made counts once", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ steps: fc.nat(30), unheard: fc.boolean() }), { maxLength: 5 }),
      async (lives) => {
        const outside = new Outside();
        const clock = clockAt();
        const list: FoundBatch[] = [];
        outside.look = ({ batchId, sought }) =>
          sought === undefined ? ended(batchId) : { kind: "SOUGHT", names: list.toReversed() };
        for (const { steps, unheard } of lives) {
          const watch = watchOf(outside, clock);
          await watch.start();
          outside.stepsLeft = steps;
          for (let n = 0; n < 3 && outside.stepsLeft > 0; n++) {
            const batch = batchOf(`b${list.length}`, "usr", clock.now());
            await watch.asked(askedOf(batch));
            if (outside.stepsLeft < 0) break;
            list.push(batch);
            if (unheard) await watch.unmade(askedOf(batch), false).catch(() => undefined);
            else await watch.made(batch, askedOf(batch));
          }
          await settle();
          outside.stepsLeft = Number.POSITIVE_INFINITY;
          await watch.stop();
        }
        const last = watchOf(outside, clock);
        await last.start();
        for (let passed = 0; passed <= 2 * SEEK_MAX_MS; passed += LOOK_PAUSE_MIN_MS) {
          await settle();
          clock.advance(LOOK_PAUSE_MIN_MS);
        }
        await settle();
        await last.stop();
        const models = [...outside.ledger.values()].map(({ modelServed }) => modelServed);
        assert.deepEqual(models.toSorted(), list.map(({ batchId }) => batchId).toSorted());
        assert.ok(
          outside.rows.every(({ lookAt, sought }) => lookAt === null && sought === undefined),
        );
      },
    ),
  );
});

test("what was asked for and is in no list is given up, with what was set aside", async () => {
  const outside = new Outside();
  const clock = clockAt();
  const aside: string[] = [];
  const watch = watchOf(outside, clock, aside);
  await watch.start();
  const reserved = { inputTokens: 7, maxOutputTokens: 9, costMicros: 5, isLater: true } as const;
  const asked = askedOf(batchOf("b1", "usr", clock.now(), { reserved }));
  outside.look = () => ({ kind: "SOUGHT", names: [] });
  await watch.asked(asked);
  assert.deepEqual(aside, [], "its call has it set aside");
  await watch.unmade(asked, false);
  assert.deepEqual(aside, ["?b1"]);
  for (let passed = 0; passed <= SEEK_MAX_MS; passed += LOOK_PAUSE_MIN_MS) {
    await settle();
    clock.advance(LOOK_PAUSE_MIN_MS);
  }
  await settle();
  assert.deepEqual([aside, outside.rows, outside.ledger.size], [[], [], 0]);
  await watch.stop();
});

test("a batch is looked at ever more seldom until it has ended, and never again", async () => {
  const outside = new Outside();
  const clock = clockAt();
  const watch = watchOf(outside, clock);
  await watch.start();
  await make(watch, batchOf("b1", "usr", clock.now()));
  const passed = async (ms: number): Promise<void> => {
    for (let left = ms; left > 0; left -= 30_000) {
      clock.advance(30_000);
      await settle();
    }
  };
  await passed(DAY_MS);
  assert.ok(outside.looks > 48 && outside.looks < 90, `${outside.looks} looks`);
  outside.look = () => ended("m");
  await passed(LOOK_PAUSE_MAX_MS + 60_000);
  assert.equal(outside.ledger.size, 1);
  const { looks } = outside;
  await passed(DAY_MS);
  await watch.ended("usr", "b1", { id: "pk", providerId: "prv" });
  await watch.beforeRemoval("usr", "b1");
  await make(watch, batchOf("b1", "usr", clock.now()));
  await passed(DAY_MS);
  assert.equal(outside.looks, looks);
  await watch.stop();
});

test("a batch is neither given up nor forgotten because the clock is ahead by a year for an hour", async () => {
  const outside = new Outside();
  const clock = clockAt();
  const watch = watchOf(outside, clock);
  await watch.start();
  await make(watch, batchOf("b1", "usr", clock.now()));
  const passed = async (minutes: number): Promise<void> => {
    for (let minute = 0; minute < minutes; minute++) {
      clock.advance(60_000);
      await settle();
    }
  };
  clock.jumpWall(365 * DAY_MS);
  await passed(60);
  assert.deepEqual([outside.ledger.size, outside.rows.length], [0, 1]);
  clock.jumpWall(-365 * DAY_MS);
  outside.look = () => ended("m");
  await passed(11);
  assert.equal(outside.ledger.size, 1);
  await watch.stop();
});

test("a batch of the same name at another provider hastens nothing and moves no batch", async () => {
  const outside = new Outside();
  const clock = new FakeClock();
  const watch = watchOf(outside, clock);
  await watch.start();
  await make(watch, batchOf("b1", "usr", clock.now()));
  await watch.ended("usr", "b1", { id: "pk_other", providerId: "prv_other" });
  await settle();
  assert.equal(outside.looks, 0);
  assert.equal(outside.rows[0]?.providerKeyId, "pk");
  await watch.ended("usr", "b1", { id: "pk_new", providerId: "prv" });
  await settle();
  assert.equal(outside.looks, 1);
  await watch.stop();
});

for (const [what, look, code] of [
  ["is gone", { kind: "MISSED", problem: "the batch: HTTP 404", use: undefined }, "batch_lost"],
  ["never ends", { kind: "RUNNING" }, "batch_lost"],
  ["cannot be looked at", { kind: "FAILED", problem: "HTTP 500" }, "batch_lost"],
  [
    "has results that break off",
    {
      kind: "MISSED",
      problem: "cut",
      use: { ...(ended("m") as { use: object }).use, problem: "cut" },
    },
    "batch_incomplete",
  ],
] as readonly (readonly [string, Look, string])[]) {
  test(`a batch that ${what} counts in the end, and gives back what was set aside`, async () => {
    const outside = new Outside();
    const clock = clockAt();
    const aside: string[] = [];
    const watch = watchOf(outside, clock, aside);
    await watch.start();
    outside.look = () => look;
    const reserved = { inputTokens: 7, maxOutputTokens: 9, costMicros: 5, isLater: true } as const;
    await make(watch, batchOf("b1", "usr", clock.now(), { reserved }));
    assert.deepEqual(aside, ["b1"]);
    for (let n = 0; n < 12 * 48 && outside.ledger.size === 0; n++) {
      clock.advance(LOOK_PAUSE_MAX_MS);
      await settle();
    }
    const [record] = outside.ledger.values();
    assert.equal(record?.errorCode, code);
    if (code === "batch_lost") {
      assert.equal(record.tokens.output, 9);
      assert.equal(record.costMicros, 5);
      assert.equal(record.usageSource, "ESTIMATED");
    }
    assert.deepEqual(aside, []);
    await watch.stop();
  });
}

test("a user with many batches at a provider that hangs holds up nobody else", async () => {
  const outside = new Outside();
  const clock = clockAt();
  const watch = watchOf(outside, clock);
  await watch.start();
  for (let n = 0; n < 50; n++) await make(watch, batchOf(`slow${n}`, "usr_slow", clock.now()));
  await make(watch, batchOf("quick", "usr_quick", clock.now()));
  let release: () => void = () => undefined;
  const hanging = new Promise<void>((resolve) => (release = resolve));
  outside.step = async (change) => {
    const done = change();
    if ((done as Partial<Look> | undefined)?.kind === "RUNNING") await hanging;
    return done;
  };
  outside.look = ({ batchId }) => (batchId === "quick" ? ended("m") : { kind: "RUNNING" });
  await settle();
  clock.advance(LOOK_PAUSE_MIN_MS);
  await settle();
  assert.equal(outside.ledger.size, 1);
  release();
  await watch.stop();
});
